// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"fmt"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const labTick = 20 * time.Millisecond

// labWork is what an asynchronous task does. done says, at every tick, how far it is (0 to 100) or why it fails;
// at 100 apply makes it so, under the lock of the entity alone.
type labWork struct {
	entity mo.Reference
	done   func(since time.Duration) (float64, types.BaseMethodFault)
	apply  func() types.BaseMethodFault
}

// start makes the task, and lets it run. It is called with the entity's lock held, and does not wait for anything that needs it.
func (w labWork) start(ctx *Context, name string) types.ManagedObjectReference {
	task := CreateTask(w.entity, name, nil)
	if ctx != nil && ctx.Session != nil {
		task.Info.Reason = &types.TaskReasonUser{UserName: ctx.Session.UserName}
	}
	cancelled := make(chan struct{})
	labState.mu.Lock()
	labState.cancels[task.Self] = cancelled
	labState.mu.Unlock()
	if holder, ok := w.entity.(mo.Entity); ok {
		labUpdate(w.entity, "recentTask", append(append([]types.ManagedObjectReference{}, holder.Entity().RecentTask...), task.Self))
	}
	labUpdate(task, "info.startTime", time.Now(), "info.state", types.TaskInfoStateRunning, "info.cancelable", true)
	go w.run(task, cancelled)
	return task.Self
}

func (w labWork) run(task *Task, cancelled chan struct{}) {
	began := time.Now()
	told := -1
	var fault types.BaseMethodFault
	for fault == nil {
		percent, failed := w.done(time.Since(began))
		fault = failed
		if fault != nil || percent >= 100 {
			break
		}
		if whole := int(percent); whole != told {
			told = whole
			labUpdate(task, "info.progress", int32(whole))
		}
		select {
		case <-cancelled:
			fault = &types.RequestCanceled{}
		case <-time.After(labTick):
		}
	}
	labState.mu.Lock()
	delete(labState.cancels, task.Self)
	labState.mu.Unlock()
	if fault == nil {
		Map.WithLock(w.entity, func() { fault = w.apply() })
	}
	if fault == nil {
		labUpdate(task, "info.completeTime", time.Now(), "info.progress", int32(100), "info.state", types.TaskInfoStateSuccess)
		return
	}
	message := types.LocalizedMethodFault{Fault: fault, LocalizedMessage: fmt.Sprintf("%T", fault)[len("*types."):]}
	_, wasCancelled := fault.(*types.RequestCanceled)
	labUpdate(task, "info.completeTime", time.Now(), "info.error", message, "info.cancelled", wasCancelled, "info.state", types.TaskInfoStateError)
}

// labUpdate changes properties of an object, given as name and value in turn, and tells everybody who waits for them.
func labUpdate(object mo.Reference, pairs ...any) {
	var changes []types.PropertyChange
	for i := 0; i < len(pairs); i += 2 {
		changes = append(changes, types.PropertyChange{Name: pairs[i].(string), Val: pairs[i+1]})
	}
	Map.Update(object, changes)
}

// CancelTask ends a task that still runs with RequestCanceled.
func (t *Task) CancelTask(*types.CancelTask) soap.HasFault {
	body := &methods.CancelTaskBody{}
	labState.mu.Lock()
	cancelled, running := labState.cancels[t.Self]
	delete(labState.cancels, t.Self)
	labState.mu.Unlock()
	if !running {
		body.Fault_ = Fault("the task has ended", &types.InvalidState{})
		return body
	}
	close(cancelled)
	body.Res = &types.CancelTaskResponse{}
	return body
}

// labBusy tells whether a relocation of the entity is under way.
func labBusy(entity types.ManagedObjectReference) *types.ManagedObjectReference {
	manager := Map.Get(*Map.content().TaskManager).(*TaskManager)
	manager.Lock()
	recent := append([]types.ManagedObjectReference{}, manager.RecentTask...)
	manager.Unlock()
	for i := len(recent) - 1; i >= 0; i-- {
		task, ok := Map.Get(recent[i]).(*Task)
		if ok && task.Info.Entity != nil && *task.Info.Entity == entity && task.Info.State == types.TaskInfoStateRunning && task.Info.Cancelable {
			return &recent[i]
		}
	}
	return nil
}
