// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"fmt"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// LabVM changes what a guest does when it is asked to shut down.
type LabVM struct {
	Name            string   `json:"name"`
	ShutdownSeconds *float64 `json:"shutdown_seconds"` // guest tools run, and the guest ends after so many seconds; negative: it never does
}

// labShutdowns are the seconds that guests with tools take to shut down, by name; guarded by labState.mu.
var labShutdowns = map[string]float64{}

// Apply makes the change.
func (v LabVM) Apply() error {
	vm, ok := labByName("VirtualMachine", v.Name).(*VirtualMachine)
	if !ok {
		return fmt.Errorf("there is no VM %s", v.Name)
	}
	if v.ShutdownSeconds != nil {
		labState.mu.Lock()
		labShutdowns[v.Name] = *v.ShutdownSeconds
		labState.mu.Unlock()
		Map.WithLock(vm, func() {
			labUpdate(vm, "guest.toolsRunningStatus", string(types.VirtualMachineToolsRunningStatusGuestToolsRunning))
		})
	}
	return nil
}

// labPower brings the VM into a power state by a task, unless another task works on it or the state is not one to come from.
func (vm *VirtualMachine) labPower(ctx *Context, name string, wanted types.VirtualMachinePowerState) (*types.ManagedObjectReference, types.BaseMethodFault) {
	if other := labBusy(vm.Self); other != nil {
		return nil, &types.TaskInProgress{Task: *other}
	}
	if vm.Config.Template {
		return nil, &types.InvalidState{}
	}
	work := labWork{entity: vm, done: func(time.Duration) (float64, types.BaseMethodFault) {
		if fault := vm.labMayBecome(wanted); fault != nil {
			return 0, fault
		}
		return 100, nil
	}, apply: func() types.BaseMethodFault { vm.labBecome(wanted); return nil }}
	task := work.start(ctx, name)
	return &task, nil
}

func (vm *VirtualMachine) labMayBecome(wanted types.VirtualMachinePowerState) types.BaseMethodFault {
	now := vm.Runtime.PowerState
	if now == wanted || (wanted == types.VirtualMachinePowerStateSuspended && now != types.VirtualMachinePowerStatePoweredOn) {
		return &types.InvalidPowerState{RequestedState: wanted, ExistingState: now}
	}
	host := Map.Get(*vm.Runtime.Host).(*HostSystem)
	if wanted == types.VirtualMachinePowerStatePoweredOn && host.Runtime.InMaintenanceMode {
		return &types.InvalidState{}
	}
	return nil
}

// labBecome sets the power state; a guest that is resumed goes on with the life that it had.
func (vm *VirtualMachine) labBecome(wanted types.VirtualMachinePowerState) {
	switch {
	case wanted == types.VirtualMachinePowerStatePoweredOff:
		vm.Runtime.BootTime, vm.Summary.Runtime.BootTime = nil, nil
	case wanted == types.VirtualMachinePowerStatePoweredOn && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOff:
		boot := time.Now()
		vm.Runtime.BootTime, vm.Summary.Runtime.BootTime = &boot, &boot
	}
	labUpdate(vm, "runtime.powerState", wanted, "summary.runtime.powerState", wanted)
}

// PowerOnVMTask starts a VM, or resumes one that is suspended.
func (vm *VirtualMachine) PowerOnVMTask(ctx *Context, _ *types.PowerOnVM_Task) soap.HasFault {
	body := &methods.PowerOnVM_TaskBody{}
	task, fault := vm.labPower(ctx, "powerOn", types.VirtualMachinePowerStatePoweredOn)
	if fault != nil {
		body.Fault_ = Fault("", fault)
		return body
	}
	body.Res = &types.PowerOnVM_TaskResponse{Returnval: *task}
	return body
}

// PowerOffVMTask ends a VM without asking its guest.
func (vm *VirtualMachine) PowerOffVMTask(ctx *Context, _ *types.PowerOffVM_Task) soap.HasFault {
	body := &methods.PowerOffVM_TaskBody{}
	task, fault := vm.labPower(ctx, "powerOff", types.VirtualMachinePowerStatePoweredOff)
	if fault != nil {
		body.Fault_ = Fault("", fault)
		return body
	}
	body.Res = &types.PowerOffVM_TaskResponse{Returnval: *task}
	return body
}

// SuspendVMTask writes a VM's memory to its files, and stops it.
func (vm *VirtualMachine) SuspendVMTask(ctx *Context, _ *types.SuspendVM_Task) soap.HasFault {
	body := &methods.SuspendVM_TaskBody{}
	task, fault := vm.labPower(ctx, "suspend", types.VirtualMachinePowerStateSuspended)
	if fault != nil {
		body.Fault_ = Fault("", fault)
		return body
	}
	body.Res = &types.SuspendVM_TaskResponse{Returnval: *task}
	return body
}

// ShutdownGuest asks the guest's tools, and returns at once; the guest ends in its own time, or never.
func (vm *VirtualMachine) ShutdownGuest(_ *Context, _ *types.ShutdownGuest) soap.HasFault {
	body := &methods.ShutdownGuestBody{}
	labState.mu.Lock()
	seconds, has := labShutdowns[vm.Name]
	labState.mu.Unlock()
	switch {
	case vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn:
		fault := &types.InvalidPowerState{RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: vm.Runtime.PowerState}
		body.Fault_ = Fault("", fault)
		return body
	case !has:
		body.Fault_ = Fault("", &types.ToolsUnavailable{})
		return body
	case seconds >= 0:
		time.AfterFunc(time.Duration(seconds*float64(time.Second)), func() {
			Map.WithLock(vm, func() {
				if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
					vm.labBecome(types.VirtualMachinePowerStatePoweredOff)
				}
			})
		})
	}
	body.Res = &types.ShutdownGuestResponse{}
	return body
}
