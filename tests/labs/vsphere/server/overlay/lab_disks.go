// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// A disk of no VM keeps its capacity in its descriptor, as this line.
const labCapacity = "vmops lab capacity in KiB: "

// labDiskPlace is a virtual disk by its path, such as "[store] folder/name.vmdk".
type labDiskPlace struct {
	store *Datastore
	path  string
}

func labDiskAt(name string) (labDiskPlace, types.BaseMethodFault) {
	var place object.DatastorePath
	if !place.FromString(name) || filepath.Ext(place.Path) != ".vmdk" {
		return labDiskPlace{}, &types.InvalidDatastorePath{DatastorePath: name}
	}
	store, ok := labByName("Datastore", place.Datastore).(*Datastore)
	if !ok {
		return labDiskPlace{}, &types.InvalidDatastore{Name: place.Datastore}
	}
	return labDiskPlace{store, place.Path}, nil
}

func (d labDiskPlace) descriptor() string { return labFile(d.store, d.path) }
func (d labDiskPlace) extent() string     { return labFile(d.store, labExtent(d.path)) }

func (d labDiskPlace) exists() bool {
	_, err := os.Stat(d.descriptor())
	return err == nil
}

// capacityKb is 0 where the descriptor does not tell.
func (d labDiskPlace) capacityKb() int64 {
	text, _ := os.ReadFile(d.descriptor())
	_, number, _ := bytes.Cut(text, []byte(labCapacity))
	found, _ := strconv.ParseInt(strings.TrimSpace(string(number)), 10, 64)
	return found
}

// isUsed tells whether a VM has the disk; vCenter then holds a lock on its file.
func (d labDiskPlace) isUsed() bool {
	for _, one := range Map.All("VirtualMachine") {
		for _, disk := range one.(*VirtualMachine).labDisks() {
			if used, fault := labDiskAt(labFileBacking(disk).FileName); fault == nil && used == d {
				return true
			}
		}
	}
	return false
}

func (d labDiskPlace) file() types.FileFault {
	return types.FileFault{File: "[" + d.store.Name + "] " + d.path}
}

func (d labDiskPlace) take(kb int64) {
	Map.WithLock(d.store, func() { d.store.Summary.FreeSpace -= kb << 10 })
}

func (d labDiskPlace) write(kb int64, extent []byte) types.BaseMethodFault {
	_ = os.MkdirAll(filepath.Dir(d.descriptor()), 0o700)
	text := []byte("# Disk DescriptorFile\n" + labCapacity + strconv.FormatInt(kb, 10) + "\n")
	if os.WriteFile(d.descriptor(), text, 0o600) != nil || os.WriteFile(d.extent(), extent, 0o600) != nil {
		return &types.CannotCreateFile{FileFault: d.file()}
	}
	d.take(kb)
	return nil
}

func (d labDiskPlace) remove() {
	d.take(-d.capacityKb())
	_, _ = os.Remove(d.descriptor()), os.Remove(d.extent())
}

// labDiskWork is a task on the datacenter, as vCenter shows those of its virtual disk manager.
func labDiskWork(ctx *Context, name string, datacenter *types.ManagedObjectReference, lasts time.Duration, apply func() types.BaseMethodFault) labRef {
	entity := Map.Any("Datacenter").(mo.Reference)
	if datacenter != nil {
		entity = Map.Get(*datacenter)
	}
	return labWork{entity: entity, done: func(since time.Duration) (float64, types.BaseMethodFault) {
		if lasts <= 0 {
			return 100, nil
		}
		return 100 * since.Seconds() / lasts.Seconds(), nil
	}, apply: apply}.start(ctx, name)
}

// CreateVirtualDiskTask makes a disk of no VM.
func (m *VirtualDiskManager) CreateVirtualDiskTask(ctx *Context, req *types.CreateVirtualDisk_Task) soap.HasFault {
	task := labDiskWork(ctx, "createVirtualDisk", req.Datacenter, 0, func() types.BaseMethodFault {
		disk, fault := labDiskAt(req.Name)
		if fault != nil {
			return fault
		}
		if disk.exists() {
			return &types.FileAlreadyExists{FileFault: disk.file()}
		}
		capacity := int64(0)
		if spec, ok := req.Spec.(*types.FileBackedVirtualDiskSpec); ok {
			capacity = spec.CapacityKb
		}
		return disk.write(capacity, []byte("made "+time.Now().String()))
	})
	return &methods.CreateVirtualDisk_TaskBody{Res: &types.CreateVirtualDisk_TaskResponse{Returnval: task}}
}

// CopyVirtualDiskTask takes as long as a relocation, and makes its target at the end. What is cancelled leaves nothing.
func (m *VirtualDiskManager) CopyVirtualDiskTask(ctx *Context, req *types.CopyVirtualDisk_Task) soap.HasFault {
	task := labDiskWork(ctx, "copyVirtualDisk", req.SourceDatacenter, labMoveTime(), func() types.BaseMethodFault {
		source, fault := labDiskAt(req.SourceName)
		if fault != nil {
			return fault
		}
		target, fault := labDiskAt(req.DestName)
		if fault != nil {
			return fault
		}
		extent, err := os.ReadFile(source.extent())
		capacity := source.capacityKb()
		switch {
		case err != nil:
			return &types.FileNotFound{FileFault: source.file()}
		case target.exists():
			return &types.FileAlreadyExists{FileFault: target.file()}
		case target.store.Summary.FreeSpace < capacity<<10:
			return &types.NoDiskSpace{FileFault: target.file(), Datastore: target.store.Name}
		}
		return target.write(capacity, extent)
	})
	return &methods.CopyVirtualDisk_TaskBody{Res: &types.CopyVirtualDisk_TaskResponse{Returnval: task}}
}

// MoveVirtualDiskTask renames a disk within its datastore, or copies it into another one and removes it.
func (m *VirtualDiskManager) MoveVirtualDiskTask(ctx *Context, req *types.MoveVirtualDisk_Task) soap.HasFault {
	task := labDiskWork(ctx, "moveVirtualDisk", req.SourceDatacenter, 0, func() types.BaseMethodFault {
		source, fault := labDiskAt(req.SourceName)
		if fault != nil {
			return fault
		}
		target, fault := labDiskAt(req.DestName)
		if fault != nil {
			return fault
		}
		switch {
		case !source.exists():
			return &types.FileNotFound{FileFault: source.file()}
		case target.exists():
			return &types.FileAlreadyExists{FileFault: target.file()}
		case source.isUsed():
			return &types.FileLocked{FileFault: source.file()}
		}
		extent, _ := os.ReadFile(source.extent())
		capacity := source.capacityKb()
		source.remove()
		return target.write(capacity, extent)
	})
	return &methods.MoveVirtualDisk_TaskBody{Res: &types.MoveVirtualDisk_TaskResponse{Returnval: task}}
}

// DeleteVirtualDiskTask removes a disk that no VM has.
func (m *VirtualDiskManager) DeleteVirtualDiskTask(ctx *Context, req *types.DeleteVirtualDisk_Task) soap.HasFault {
	task := labDiskWork(ctx, "deleteVirtualDisk", req.Datacenter, 0, func() types.BaseMethodFault {
		disk, fault := labDiskAt(req.Name)
		switch {
		case fault != nil:
			return fault
		case !disk.exists():
			return &types.FileNotFound{FileFault: disk.file()}
		case disk.isUsed():
			return &types.FileLocked{FileFault: disk.file()}
		}
		disk.remove()
		return nil
	})
	return &methods.DeleteVirtualDisk_TaskBody{Res: &types.DeleteVirtualDisk_TaskResponse{Returnval: task}}
}

// addFile lists a file as stock does, and tells of disks how large they are.
func (s *searchDatastore) addFile(file os.FileInfo, res *types.HostDatastoreBrowserSearchResults) {
	if filepath.Ext(file.Name()) == ".vmdk" && strings.HasSuffix(file.Name(), "-flat.vmdk") {
		return
	}
	s.stockAddFile(file, res)
	if len(res.File) == 0 {
		return
	}
	if info, ok := res.File[len(res.File)-1].(*types.VmDiskFileInfo); ok && info.Path == file.Name() {
		if disk, fault := labDiskAt(strings.TrimSuffix(res.FolderPath, "/") + "/" + file.Name()); fault == nil {
			info.CapacityKb = disk.capacityKb()
			info.FileSize = info.CapacityKb << 10
		}
	}
}
