// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// LabDatastore describes a datastore that several hosts mount, with a size of its own instead of that of the disk below it.
type LabDatastore struct {
	Name        string   `json:"name"`
	Hosts       []string `json:"hosts"`
	CapacityGib int64    `json:"capacity_gib"`
	FreeGib     int64    `json:"free_gib"`
	Folder      string   `json:"folder"` // what its folder's name begins with, where several datacenters have one of that name
	LostOn      []string `json:"lost_on"`
	ReadOnlyOn  []string `json:"read_only_on"`
	Maintenance string   `json:"maintenance"` // what vCenter says of it: normal, enteringMaintenance, inMaintenance
}

// Add makes the datastore in the folder of the first host's datacenter; its files lie in path, which exists.
// A name that is there already gets the new sizes, and the further hosts.
func (d LabDatastore) Add(path string) error {
	hosts, err := labHostsNamed(d.Hosts)
	if err != nil {
		return err
	}
	if len(hosts) == 0 {
		return fmt.Errorf("datastore %s: no host is named", d.Name)
	}
	folder := Map.getEntityFolder(&hosts[0].HostSystem, "datastore")
	store, known := labDatastoreIn(folder, d.Name).(*Datastore)
	if !known {
		store = &Datastore{}
		store.Name = d.Name
		store.Self = types.ManagedObjectReference{Type: "Datastore", Value: ""}
		url := "ds://" + path
		store.Info = &types.VmfsDatastoreInfo{DatastoreInfo: types.DatastoreInfo{Name: d.Name, Url: path}}
		store.Summary.Name, store.Summary.Url, store.Summary.Type = d.Name, url, string(types.HostFileSystemVolumeFileSystemTypeVMFS)
		store.Summary.MaintenanceMode = string(types.DatastoreSummaryMaintenanceModeStateNormal)
		store.Summary.Accessible = true
		store.Capability = types.DatastoreCapability{DirectoryHierarchySupported: true, PerFileThinProvisioningSupported: true}
		folderPutChild(internalContext, folder, store)
		store.Summary.Datastore = &store.Self
		browser := &HostDatastoreBrowser{}
		browser.Datastore = []types.ManagedObjectReference{store.Self}
		store.Browser = Map.Put(browser).Reference()
	}
	store.Summary.Capacity, store.Summary.FreeSpace = d.CapacityGib<<30, d.FreeGib<<30
	store.Info.GetDatastoreInfo().FreeSpace = store.Summary.FreeSpace
	for _, host := range hosts {
		labMount(host, store)
	}
	if d.Maintenance != "" {
		store.Summary.MaintenanceMode = d.Maintenance
	}
	return d.degrade(store)
}

// labDatastoreIn gives the datastore of that name in a datacenter's folder, or in a datastore cluster there, or nil.
func labDatastoreIn(folder *mo.Folder, name string) mo.Entity {
	if found := Map.FindByName(name, folder.ChildEntity); found != nil {
		return found
	}
	for _, child := range folder.ChildEntity {
		if pod, ok := Map.Get(child).(*StoragePod); ok {
			if found := Map.FindByName(name, pod.ChildEntity); found != nil {
				return found
			}
		}
	}
	return nil
}

// degrade says how the hosts reach the datastore now.
func (d LabDatastore) degrade(store *Datastore) error {
	lost, err := labHostsNamed(d.LostOn)
	if err != nil {
		return err
	}
	kept, err := labHostsNamed(d.ReadOnlyOn)
	if err != nil {
		return err
	}
	for i := range store.Host {
		mount := &store.Host[i]
		mount.MountInfo.Accessible = types.NewBool(!labIsAmong(mount.Key, lost))
		mount.MountInfo.AccessMode = string(types.HostMountModeReadWrite)
		if labIsAmong(mount.Key, kept) {
			mount.MountInfo.AccessMode = string(types.HostMountModeReadOnly)
		}
	}
	return nil
}

func labIsAmong(ref types.ManagedObjectReference, hosts []*HostSystem) bool {
	for _, host := range hosts {
		if host.Self == ref {
			return true
		}
	}
	return false
}

// labMountFault is what a host that cannot write to the datastore answers, or nil.
func labMountFault(host *HostSystem, store *Datastore) types.BaseMethodFault {
	named := types.InvalidDatastore{Datastore: &store.Self, Name: store.Name}
	for _, mount := range store.Host {
		if mount.Key != host.Self {
			continue
		}
		if mount.MountInfo.Accessible != nil && !*mount.MountInfo.Accessible {
			return &types.InaccessibleDatastore{InvalidDatastore: named}
		}
		if mount.MountInfo.AccessMode == string(types.HostMountModeReadOnly) {
			return &types.DatastoreNotWritableOnHost{InvalidDatastore: named, Host: host.Self}
		}
	}
	return nil
}

// labMount makes the datastore known to the host, to its cluster and to the system that manages the host's datastores.
func labMount(host *HostSystem, store *Datastore) {
	if FindReference(host.Datastore, store.Self) != nil {
		return
	}
	yes := types.NewBool(true)
	mount := types.HostMountInfo{AccessMode: string(types.HostMountModeReadWrite), Mounted: yes, Accessible: yes}
	store.Host = append(store.Host, types.DatastoreHostMount{Key: host.Self, MountInfo: mount})
	host.Datastore = append(host.Datastore, store.Self)
	if system, ok := Map.Get(*host.ConfigManager.DatastoreSystem).(*HostDatastoreSystem); ok {
		system.Datastore = host.Datastore
	}
	parent := hostParent(&host.HostSystem)
	Map.AddReference(parent, &parent.Datastore, store.Self)
}

func labHostsNamed(names []string) ([]*HostSystem, error) {
	var found []*HostSystem
	for _, name := range names {
		host, ok := labByName("HostSystem", name).(*HostSystem)
		if !ok {
			return nil, fmt.Errorf("there is no host %s", name)
		}
		found = append(found, host)
	}
	return found, nil
}

// labByName gives the first object of that type and name, or nil.
func labByName(kind, name string) mo.Entity {
	for _, one := range Map.All(kind) {
		if one.Entity().Name == name {
			return one
		}
	}
	return nil
}
