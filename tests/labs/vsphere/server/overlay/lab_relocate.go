// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"path"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

type labRef = types.ManagedObjectReference

// labFileBacking gives the part of a disk's backing that names its file.
func labFileBacking(disk *types.VirtualDisk) *types.VirtualDeviceFileBackingInfo {
	backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok {
		return nil
	}
	return backing.GetVirtualDeviceFileBackingInfo()
}

func (vm *VirtualMachine) labDisks() []*types.VirtualDisk {
	var found []*types.VirtualDisk
	for _, device := range object.VirtualDeviceList(vm.Config.Hardware.Device).SelectByType((*types.VirtualDisk)(nil)) {
		if disk := device.(*types.VirtualDisk); labFileBacking(disk) != nil {
			found = append(found, disk)
		}
	}
	return found
}

// labDiskTarget is the datastore that the spec gives a disk: its own locator first, then that of the whole VM, then where it is.
func labDiskTarget(spec *types.VirtualMachineRelocateSpec, disk *types.VirtualDisk) labRef {
	for _, locator := range spec.Disk {
		if locator.DiskId == disk.Key {
			return locator.Datastore
		}
	}
	if spec.Datastore != nil {
		return *spec.Datastore
	}
	return *labFileBacking(disk).Datastore
}

// labPreflight says why vCenter would refuse the relocation, or nil. Reads only.
func (vm *VirtualMachine) labPreflight(spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	running := vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
	target := *vm.Runtime.Host
	if spec.Host != nil {
		target = *spec.Host
	}
	host, ok := Map.Get(target).(*HostSystem)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: target}
	}
	if fault := vm.labHostTakes(host, spec, running); fault != nil {
		return fault
	}
	if spec.Folder != nil {
		if _, ok := Map.Get(*spec.Folder).(*Folder); !ok {
			return &types.ManagedObjectNotFound{Obj: *spec.Folder}
		}
	}
	return vm.labStorageTakes(host, spec)
}

func (vm *VirtualMachine) labHostTakes(host *HostSystem, spec *types.VirtualMachineRelocateSpec, running bool) types.BaseMethodFault {
	moves := host.Self != *vm.Runtime.Host
	if host.Runtime.ConnectionState != types.HostSystemConnectionStateConnected {
		return &types.HostNotConnected{}
	}
	if moves && host.Runtime.InMaintenanceMode {
		return &types.InvalidState{}
	}
	if spec.Folder == nil && Map.getEntityDatacenter(&host.HostSystem) != Map.getEntityDatacenter(vm) {
		return &types.InvalidArgument{InvalidProperty: "spec.folder"}
	}
	pool := *vm.ResourcePool
	if spec.Pool != nil {
		pool = *spec.Pool
	}
	owner, ok := Map.Get(pool).(*ResourcePool)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: pool}
	}
	if owner.Owner != *host.Parent {
		return &types.InvalidArgument{InvalidProperty: "spec.pool"}
	}
	if vm.labVersion() > labMaxHardware(host) {
		return &types.VirtualHardwareVersionNotSupported{HostName: host.Name, Host: host.Self}
	}
	if !moves {
		return nil
	}
	if running && (!labHasVmotion(host) || !labHasVmotion(Map.Get(*vm.Runtime.Host).(*HostSystem))) {
		return &types.VMotionNotConfigured{}
	}
	return vm.labDevicesTravel(host, spec)
}

// labDevicesTravel checks networks and devices of the host that the VM holds.
func (vm *VirtualMachine) labDevicesTravel(host *HostSystem, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	changed := map[int32]types.BaseVirtualDevice{}
	for _, change := range spec.DeviceChange {
		device := change.GetVirtualDeviceConfigSpec().Device
		changed[device.GetVirtualDevice().Key] = device
	}
	for _, device := range vm.Config.Hardware.Device {
		if other, ok := changed[device.GetVirtualDevice().Key]; ok {
			device = other
		}
		switch backing := device.GetVirtualDevice().Backing.(type) {
		case *types.VirtualPCIPassthroughDeviceBackingInfo:
			return &types.VMotionNotSupported{}
		case *types.VirtualEthernetCardNetworkBackingInfo:
			if Map.FindByName(backing.DeviceName, host.Network) == nil {
				return &types.CannotAccessNetwork{CannotAccessVmDevice: types.CannotAccessVmDevice{Device: "Network adapter", Backing: backing.DeviceName}}
			}
		case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
			group := types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: backing.Port.PortgroupKey}
			if FindReference(host.Network, group) == nil {
				return &types.CannotAccessNetwork{CannotAccessVmDevice: types.CannotAccessVmDevice{Device: "Network adapter", Backing: group.Value}}
			}
		}
	}
	return nil
}

func (vm *VirtualMachine) labStorageTakes(host *HostSystem, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	needed := map[labRef]int64{}
	targets := []labRef{vm.labHomeTarget(spec)}
	for _, disk := range vm.labDisks() {
		target := labDiskTarget(spec, disk)
		targets = append(targets, target)
		if *labFileBacking(disk).Datastore != target {
			needed[target] += disk.CapacityInKB * 1024
		}
	}
	for i := range targets {
		store, ok := Map.Get(targets[i]).(*Datastore)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: targets[i]}
		}
		if FindReference(host.Datastore, targets[i]) == nil {
			return &types.InvalidDatastore{Datastore: &targets[i], Name: store.Name}
		}
		if fault := labMountFault(host, store); fault != nil {
			return fault
		}
		if store.Summary.FreeSpace < needed[targets[i]] {
			return &types.InsufficientDisks{}
		}
	}
	return nil
}

// labHomeTarget is the datastore of the VM's own files after the relocation.
func (vm *VirtualMachine) labHomeTarget(spec *types.VirtualMachineRelocateSpec) labRef {
	if spec.Datastore != nil {
		return *spec.Datastore
	}
	var home object.DatastorePath
	home.FromString(vm.Config.Files.VmPathName)
	for _, ref := range vm.Datastore {
		if store, ok := Map.Get(ref).(*Datastore); ok && store.Name == home.Datastore {
			return ref
		}
	}
	return labRef{}
}

// labVersion is 14 for vmx-14.
func (vm *VirtualMachine) labVersion() int {
	number, _ := strconv.Atoi(strings.TrimPrefix(vm.Config.Version, "vmx-"))
	return number
}

// labApply makes the relocation so: files, mounts, references in both directions and free space. Called under the VM's lock.
func (vm *VirtualMachine) labApply(spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	if fault := vm.labPreflight(spec); fault != nil {
		return fault
	}
	home := Map.Get(vm.labHomeTarget(spec)).(*Datastore)
	file := vm.labMoveOwnFiles(home)
	after := map[labRef]bool{home.Self: true}
	for _, disk := range vm.labDisks() {
		target := labDiskTarget(spec, disk)
		after[target] = true
		vm.labMoveDisk(disk, Map.Get(target).(*Datastore))
		labConvert(spec, disk)
	}
	vm.labSetDatastores(after)
	vm.labRenameFiles(after, file)
	for _, change := range spec.DeviceChange {
		given := change.GetVirtualDeviceConfigSpec().Device.GetVirtualDevice()
		for _, device := range vm.Config.Hardware.Device {
			if device.GetVirtualDevice().Key == given.Key {
				device.GetVirtualDevice().Backing = given.Backing
			}
		}
	}
	changes := []any{"config.files.vmPathName", file, "summary.config.vmPathName", file, "config.files.logDirectory", path.Dir(file),
		"config.hardware.device", vm.Config.Hardware.Device, "config.changeVersion", labNextVersion()}
	if spec.Host != nil && *spec.Host != *vm.Runtime.Host {
		before, next := Map.Get(*vm.Runtime.Host).(*HostSystem), Map.Get(*spec.Host).(*HostSystem)
		Map.RemoveReference(before, &before.Vm, vm.Self)
		Map.AddReference(next, &next.Vm, vm.Self)
		changes = append(changes, "runtime.host", spec.Host, "summary.runtime.host", spec.Host)
	}
	if spec.Pool != nil && *spec.Pool != *vm.ResourcePool {
		before, next := Map.Get(*vm.ResourcePool).(*ResourcePool), Map.Get(*spec.Pool).(*ResourcePool)
		Map.RemoveReference(before, &before.Vm, vm.Self)
		Map.AddReference(next, &next.Vm, vm.Self)
		changes = append(changes, "resourcePool", spec.Pool)
	}
	if spec.Folder != nil && *spec.Folder != *vm.Parent {
		before, _ := asFolderMO(Map.Get(*vm.Parent))
		next, _ := asFolderMO(Map.Get(*spec.Folder))
		Map.RemoveReference(before, &before.ChildEntity, vm.Self)
		Map.AddReference(next, &next.ChildEntity, vm.Self)
		changes = append(changes, "parent", spec.Folder)
	}
	labUpdate(vm, changes...)
	return nil
}

// labMoveOwnFiles moves the files that are no disks, and gives the new path of the vmx file.
func (vm *VirtualMachine) labMoveOwnFiles(home *Datastore) string {
	file := vm.Config.Files.VmPathName
	source := Map.Get(vm.labHomeTarget(&types.VirtualMachineRelocateSpec{})).(*Datastore)
	if source.Self == home.Self {
		return file
	}
	next := labOn(file, home)
	labMoveHome(source, file, home, next)
	return next
}

// labRenameFiles brings the list of the VM's files into line: what lay on a datastore that it has left is with its own files now.
func (vm *VirtualMachine) labRenameFiles(after map[labRef]bool, vmx string) {
	names := map[string]bool{}
	for ref := range after {
		names[Map.Get(ref).(*Datastore).Name] = true
	}
	renamed := func(file string) string {
		var place object.DatastorePath
		if !place.FromString(file) || names[place.Datastore] {
			return file
		}
		return path.Dir(vmx) + "/" + path.Base(file)
	}
	if vm.LayoutEx != nil {
		for i := range vm.LayoutEx.File {
			vm.LayoutEx.File[i].Name = renamed(vm.LayoutEx.File[i].Name)
		}
	}
	if vm.Layout != nil {
		for i := range vm.Layout.Disk {
			for j := range vm.Layout.Disk[i].DiskFile {
				vm.Layout.Disk[i].DiskFile[j] = renamed(vm.Layout.Disk[i].DiskFile[j])
			}
		}
	}
}

func (vm *VirtualMachine) labMoveDisk(disk *types.VirtualDisk, target *Datastore) {
	backing := labFileBacking(disk)
	if *backing.Datastore == target.Self {
		return
	}
	source := Map.Get(*backing.Datastore).(*Datastore)
	size := disk.CapacityInKB * 1024
	Map.WithLock(source, func() { source.Summary.FreeSpace += size })
	Map.WithLock(target, func() { target.Summary.FreeSpace -= size })
	file := labOn(backing.FileName, target)
	labMoveFile(source, backing.FileName, target, file)
	backing.FileName = file
	ref := target.Self
	backing.Datastore = &ref
}

// labConvert takes over from the disk's locator whether it is thin.
func labConvert(spec *types.VirtualMachineRelocateSpec, disk *types.VirtualDisk) {
	for _, locator := range spec.Disk {
		wanted, ok := locator.DiskBackingInfo.(*types.VirtualDiskFlatVer2BackingInfo)
		if has, flat := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && flat && locator.DiskId == disk.Key {
			has.ThinProvisioned, has.EagerlyScrub = wanted.ThinProvisioned, wanted.EagerlyScrub
		}
	}
}

func (vm *VirtualMachine) labSetDatastores(after map[labRef]bool) {
	var list []labRef
	for _, ref := range vm.Datastore {
		if store, ok := Map.Get(ref).(*Datastore); ok && !after[ref] {
			Map.RemoveReference(store, &store.Vm, vm.Self)
		}
	}
	for ref := range after {
		store := Map.Get(ref).(*Datastore)
		Map.AddReference(store, &store.Vm, vm.Self)
		list = append(list, ref)
	}
	labUpdate(vm, "datastore", list)
}
