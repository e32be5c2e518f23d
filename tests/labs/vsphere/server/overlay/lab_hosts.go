// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// LabHost changes a host. What is absent stays as it is.
type LabHost struct {
	Name       string   `json:"name"`
	Connection string   `json:"connection"` // connected, disconnected or notResponding
	Vmotion    *bool    `json:"vmotion"`
	Version    string   `json:"version"` // such as 7.0.3
	MemoryMib  int64    `json:"memory_mib"`
	LinkMbps   int32    `json:"link_mbps"` // of all its physical adapters
	Networks   []string `json:"networks"`  // the standard port groups that it offers, made where they are new; distributed ones stay
}

// Apply makes the change.
func (h LabHost) Apply() error {
	host, ok := labByName("HostSystem", h.Name).(*HostSystem)
	if !ok {
		return fmt.Errorf("there is no host %s", h.Name)
	}
	Map.WithLock(host, func() {
		if h.Connection != "" {
			labUpdate(host, "runtime.connectionState", types.HostSystemConnectionState(h.Connection))
		}
		if h.Vmotion != nil {
			labSetVmotion(host, *h.Vmotion)
		}
		if h.Version != "" {
			host.Summary.Config.Product.Version = h.Version
			host.Config.Product.Version = h.Version
		}
		if h.MemoryMib != 0 {
			host.Summary.Hardware.MemorySize = h.MemoryMib << 20
			host.Hardware.MemorySize = h.MemoryMib << 20
		}
		if h.LinkMbps != 0 {
			labSetLinks(host, h.LinkMbps)
		}
		if h.Networks != nil {
			labSetNetworks(host, h.Networks)
		}
	})
	return nil
}

// PrepareLab gives every host an interface for vMotion, an address of its own and a version, before anybody asks.
func PrepareLab() {
	hosts := Map.All("HostSystem")
	sort.Slice(hosts, func(i, j int) bool { return hosts[i].Entity().Name < hosts[j].Entity().Name })
	for i, entity := range hosts {
		host := entity.(*HostSystem)
		product := host.Config.Product
		host.Config.Product = product
		host.Config.Product.Version, host.Summary.Config.Product = "8.0.2", &host.Config.Product
		labSetVmotion(host, true)
		labSetAddress(host, fmt.Sprintf("10.9.%d.%d", i/250, i%250+1))
	}
}

func labSetVmotion(host *HostSystem, enabled bool) {
	host.Summary.Config.VmotionEnabled = enabled
	manager := &types.HostVirtualNicManagerInfo{}
	nic := types.HostVirtualNic{Device: "vmk0", Key: "key-vim.host.VirtualNic-vmk0", Portgroup: "Management Network"}
	nic.Spec = types.HostVirtualNicSpec{Ip: &types.HostIpConfig{}}
	config := types.VirtualNicManagerNetConfig{NicType: "vmotion", MultiSelectAllowed: true, CandidateVnic: []types.HostVirtualNic{nic}}
	if enabled {
		config.SelectedVnic = []string{nic.Key}
	}
	management := types.VirtualNicManagerNetConfig{NicType: "management", CandidateVnic: []types.HostVirtualNic{nic}, SelectedVnic: []string{nic.Key}}
	manager.NetConfig = append(manager.NetConfig, config, management)
	if old := host.Config.VirtualNicManagerInfo; old != nil && len(old.NetConfig) > 0 && len(old.NetConfig[0].CandidateVnic) > 0 {
		manager.NetConfig[0].CandidateVnic[0].Spec.Ip = old.NetConfig[0].CandidateVnic[0].Spec.Ip
	}
	host.Config.VirtualNicManagerInfo = manager
}

func labSetAddress(host *HostSystem, address string) {
	host.Config.VirtualNicManagerInfo.NetConfig[0].CandidateVnic[0].Spec.Ip = &types.HostIpConfig{IpAddress: address, SubnetMask: "255.255.0.0"}
}

// labSetLinks gives a host adapters of its own, of that speed; the model's hosts share theirs.
func labSetLinks(host *HostSystem, mbps int32) {
	network := *host.Config.Network
	network.Pnic = append([]types.PhysicalNic{}, network.Pnic...)
	for i := range network.Pnic {
		network.Pnic[i].LinkSpeed = &types.PhysicalNicLinkInfo{SpeedMb: mbps, Duplex: true}
	}
	host.Config.Network = &network
}

// labSetNetworks gives a host these port groups, and keeps the distributed ones that it has.
func labSetNetworks(host *HostSystem, names []string) {
	folder, _ := asFolderMO(Map.Get(Map.getEntityDatacenter(&host.HostSystem).NetworkFolder))
	var after []types.ManagedObjectReference
	for _, ref := range host.Network {
		if ref.Type != "Network" {
			after = append(after, ref)
		}
	}
	for _, name := range names {
		found, known := Map.FindByName(name, folder.ChildEntity).(*mo.Network)
		if !known {
			found = &mo.Network{}
			found.Name = name
			found.Self = types.ManagedObjectReference{Type: "Network", Value: ""}
			folderPutChild(internalContext, folder, found)
		}
		after = append(after, found.Self)
	}
	labUpdate(host, "network", after)
}

func labHasVmotion(host *HostSystem) bool {
	return host.Summary.Config.VmotionEnabled
}

// labMaxHardware is the newest virtual hardware that the host's version runs, after VMware's table (KB 315655).
func labMaxHardware(host *HostSystem) int {
	version := host.Config.Product.Version
	for _, known := range []struct {
		prefix string
		number int
	}{{"8.0.2", 21}, {"8.0.3", 21}, {"8.0", 20}, {"7.0.3", 19}, {"7.0.2", 19}, {"7.0.1", 18}, {"7.0", 17}, {"6.7.2", 15}, {"6.7.3", 15}, {"6.7", 14}, {"6.5", 13}} {
		if strings.HasPrefix(version, known.prefix) {
			return known.number
		}
	}
	return 99
}

// labAgentManager makes VMs that vCenter itself stops when their host enters maintenance mode, and starts when it leaves it.
const labAgentManager = "com.vmware.vim.eam"

func labIsAgent(vm *VirtualMachine) bool {
	return vm.Config.ManagedBy != nil && vm.Config.ManagedBy.ExtensionKey == labAgentManager
}

// labAgents brings the agents on the host into that power state.
func (h *HostSystem) labAgents(wanted types.VirtualMachinePowerState) {
	for _, ref := range h.Vm {
		if vm, ok := Map.Get(ref).(*VirtualMachine); ok && labIsAgent(vm) {
			vm.labBecome(wanted)
		}
	}
}

// EnterMaintenanceModeTask waits until no VM but agents runs on the host, and stops those; nobody moves the others away here.
func (h *HostSystem) EnterMaintenanceModeTask(ctx *Context, req *types.EnterMaintenanceMode_Task) soap.HasFault {
	limit := time.Duration(req.Timeout) * time.Second
	work := labWork{entity: h, done: func(since time.Duration) (float64, types.BaseMethodFault) {
		switch {
		case h.Runtime.InMaintenanceMode:
			return 0, &types.InvalidState{}
		case !h.labRunsVms():
			return 100, nil
		case limit > 0 && since > limit:
			return 0, &types.Timedout{}
		}
		return 2, nil
	}, apply: func() types.BaseMethodFault {
		h.labAgents(types.VirtualMachinePowerStatePoweredOff)
		labUpdate(h, "runtime.inMaintenanceMode", true, "summary.runtime.inMaintenanceMode", true)
		return nil
	}}
	return &methods.EnterMaintenanceMode_TaskBody{Res: &types.EnterMaintenanceMode_TaskResponse{Returnval: work.start(ctx, "enterMaintenanceMode")}}
}

// ExitMaintenanceModeTask opens the host again; it is refused where the host is open.
func (h *HostSystem) ExitMaintenanceModeTask(ctx *Context, _ *types.ExitMaintenanceMode_Task) soap.HasFault {
	work := labWork{entity: h, done: func(time.Duration) (float64, types.BaseMethodFault) {
		if !h.Runtime.InMaintenanceMode {
			return 0, &types.InvalidState{}
		}
		return 100, nil
	}, apply: func() types.BaseMethodFault {
		labUpdate(h, "runtime.inMaintenanceMode", false, "summary.runtime.inMaintenanceMode", false)
		h.labAgents(types.VirtualMachinePowerStatePoweredOn)
		return nil
	}}
	return &methods.ExitMaintenanceMode_TaskBody{Res: &types.ExitMaintenanceMode_TaskResponse{Returnval: work.start(ctx, "exitMaintenanceMode")}}
}

func (h *HostSystem) labRunsVms() bool {
	var here []types.ManagedObjectReference
	Map.WithLock(h, func() { here = append(here, h.Vm...) })
	for _, ref := range here {
		if vm, ok := Map.Get(ref).(*VirtualMachine); ok && !labIsAgent(vm) && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			return true
		}
	}
	return false
}

// LabCluster changes what a cluster does by itself, and its rules and groups of VMs and hosts; absent is unchanged.
type LabCluster struct {
	Name     string        `json:"name"`
	Behavior string        `json:"behavior"` // of DRS: manual, partiallyAutomated or fullyAutomated
	Rules    []LabHostRule `json:"rules"`
}

// LabHostRule binds VMs to hosts, or keeps them away from these.
type LabHostRule struct {
	Name      string   `json:"name"`
	VMs       []string `json:"vms"`
	Hosts     []string `json:"hosts"`
	Away      bool     `json:"away"`
	Mandatory bool     `json:"mandatory"`
}

// Apply makes the change.
func (c LabCluster) Apply() error {
	cluster, ok := labByName("ClusterComputeResource", c.Name).(*ClusterComputeResource)
	if !ok {
		return fmt.Errorf("there is no cluster %s", c.Name)
	}
	config := cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
	if c.Behavior != "" {
		config.DrsConfig.Enabled, config.DrsConfig.DefaultVmBehavior = types.NewBool(true), types.DrsBehavior(c.Behavior)
	}
	yes := types.NewBool(true)
	for _, given := range c.Rules {
		vms, hosts := &types.ClusterVmGroup{}, &types.ClusterHostGroup{}
		vms.Name, hosts.Name = given.Name+" VMs", given.Name+" hosts"
		for _, name := range given.VMs {
			vms.Vm = append(vms.Vm, labByName("VirtualMachine", name).Reference())
		}
		for _, name := range given.Hosts {
			hosts.Host = append(hosts.Host, labByName("HostSystem", name).Reference())
		}
		rule := &types.ClusterVmHostRuleInfo{VmGroupName: vms.Name}
		rule.Name, rule.Enabled, rule.Mandatory = given.Name, yes, types.NewBool(given.Mandatory)
		if given.Away {
			rule.AntiAffineHostGroupName = hosts.Name
		} else {
			rule.AffineHostGroupName = hosts.Name
		}
		config.Group = append(config.Group, vms, hosts)
		config.Rule = append(config.Rule, rule)
	}
	return nil
}
