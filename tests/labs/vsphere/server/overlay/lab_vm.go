// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

var labVersions int64 = 1000

// labNextVersion is a changeVersion that no VM has had yet.
func labNextVersion() string {
	return strconv.FormatInt(atomic.AddInt64(&labVersions, 1), 10)
}

// RelocateVMTask moves a VM as vCenter does: it takes its time, can be cancelled, and only its end changes anything.
func (vm *VirtualMachine) RelocateVMTask(ctx *Context, req *types.RelocateVM_Task) soap.HasFault {
	body := &methods.RelocateVM_TaskBody{}
	if other := labBusy(vm.Self); other != nil {
		body.Fault_ = Fault("a relocation of this VM is under way", &types.TaskInProgress{Task: *other})
		return body
	}
	spec, refused := req.Spec, vm.labPreflight(&req.Spec)
	failsAt, fails := labFaultOf(vm.Name)
	work := labWork{entity: vm, done: func(since time.Duration) (float64, types.BaseMethodFault) {
		if refused != nil {
			return 0, refused
		}
		percent := 100.0
		if lasts := labMoveTime(); lasts > 0 {
			percent = 100 * since.Seconds() / lasts.Seconds()
		}
		if fails && percent >= failsAt {
			return percent, &types.GenericVmConfigFault{Reason: "the copy broke off"}
		}
		return percent, nil
	}, apply: func() types.BaseMethodFault { return vm.labApply(&spec) }}
	body.Res = &types.RelocateVM_TaskResponse{Returnval: work.start(ctx, "relocate")}
	return body
}

// ReconfigVMTask refuses a spec that was made for another version of the configuration, and one during a relocation.
func (vm *VirtualMachine) ReconfigVMTask(ctx *Context, req *types.ReconfigVM_Task) soap.HasFault {
	body := &methods.ReconfigVM_TaskBody{}
	if other := labBusy(vm.Self); other != nil {
		body.Fault_ = Fault("a relocation of this VM is under way", &types.TaskInProgress{Task: *other})
		return body
	}
	if req.Spec.ChangeVersion != "" && req.Spec.ChangeVersion != vm.Config.ChangeVersion {
		body.Fault_ = Fault("the configuration was changed in between", &types.ConcurrentAccess{})
		return body
	}
	options := req.Spec.ExtraConfig
	req.Spec.ExtraConfig = nil
	answer := vm.stockReconfigVMTask(ctx, req)
	vm.labSetOptions(options)
	labUpdate(vm, "config.changeVersion", labNextVersion())
	return answer
}

// labSetOptions keeps one value for each key of extraConfig; an empty one removes the key.
func (vm *VirtualMachine) labSetOptions(options []types.BaseOptionValue) {
	for _, option := range options {
		given := option.GetOptionValue()
		var kept []types.BaseOptionValue
		for _, old := range vm.Config.ExtraConfig {
			if old.GetOptionValue().Key != given.Key {
				kept = append(kept, old)
			}
		}
		if text, ok := given.Value.(string); !ok || text != "" {
			kept = append(kept, option)
		}
		vm.Config.ExtraConfig = kept
	}
}

// VmProvisioningChecker answers whether a relocation would be refused, without making it.
type VmProvisioningChecker struct {
	mo.VirtualMachineProvisioningChecker
}

// CheckRelocateTask gives the same fault that the relocation would end with.
func (c *VmProvisioningChecker) CheckRelocateTask(req *types.CheckRelocate_Task) soap.HasFault {
	body := &methods.CheckRelocate_TaskBody{}
	vm, ok := Map.Get(req.Vm).(*VirtualMachine)
	if !ok {
		body.Fault_ = Fault("", &types.ManagedObjectNotFound{Obj: req.Vm})
		return body
	}
	task := CreateTask(vm, "checkRelocate", func(*Task) (types.AnyType, types.BaseMethodFault) {
		result := types.CheckResult{Vm: &req.Vm, Host: req.Spec.Host}
		if fault := vm.labPreflight(&req.Spec); fault != nil {
			result.Error = append(result.Error, types.LocalizedMethodFault{Fault: fault})
		}
		return types.ArrayOfCheckResult{CheckResult: []types.CheckResult{result}}, nil
	})
	body.Res = &types.CheckRelocate_TaskResponse{Returnval: task.Run()}
	return body
}

// SetField replaces the value of a field; stock appends a second one.
func (c *CustomFieldsManager) SetField(ctx *Context, req *types.SetField) soap.HasFault {
	body := &methods.SetFieldBody{}
	_, field := c.findByKey(req.Key)
	if field == nil {
		body.Fault_ = Fault("", &types.InvalidArgument{InvalidProperty: "key"})
		return body
	}
	held, ok := Map.Get(req.Entity).(mo.Entity)
	if !ok {
		body.Fault_ = Fault("", &types.ManagedObjectNotFound{Obj: req.Entity})
		return body
	}
	entity := held.Entity()
	ctx.WithLock(entity, func() {
		entity.CustomValue = labWithout(entity.CustomValue, req.Key)
		if req.Value != "" {
			value := &types.CustomFieldStringValue{CustomFieldValue: types.CustomFieldValue{Key: req.Key}, Value: req.Value}
			entity.CustomValue = append(entity.CustomValue, value)
		}
		entity.Value = entity.CustomValue
	})
	body.Res = &types.SetFieldResponse{}
	return body
}

func labWithout(values []types.BaseCustomFieldValue, key int32) []types.BaseCustomFieldValue {
	var kept []types.BaseCustomFieldValue
	for _, value := range values {
		if value.GetCustomFieldValue().Key != key {
			kept = append(kept, value)
		}
	}
	return kept
}

// call counts, and hands on.
func (s *Service) call(ctx *Context, method *Method) soap.HasFault {
	labCount(method.Name)
	return s.stockCall(ctx, method)
}

func init() {
	RegisterEndpoint(func(_ *Service, r *Registry) {
		if found := r.content().VmProvisioningChecker; found != nil {
			checker := &VmProvisioningChecker{}
			checker.Self = *found
			r.Put(checker)
		}
	})
}
