// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The lab's vCenter: govmomi's simulator with our overlay, on a free port of its own, and a control server beside it.
// It says on standard output where both listen, and ends with SIGTERM or when its standard input is closed.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/vmware/govmomi/pbm/simulator"
	"github.com/vmware/govmomi/simulator"
	_ "github.com/vmware/govmomi/vapi/simulator"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address and port of the API")
	username := flag.String("username", "operator", "the one user; its password is in VCSIM_PASSWORD")
	certificate := flag.String("tlscert", "", "file of the server's certificate (PEM)")
	key := flag.String("tlskey", "", "file of its key (PEM)")
	clusters := flag.Int("clusters", 1, "number of clusters")
	hosts := flag.Int("hosts", 3, "number of hosts in each")
	datacenters := flag.Int("datacenters", 1, "number of datacenters")
	vms := flag.Int("vms", 0, "number of VMs in each cluster, all alike; for measurements")
	verbose := flag.Bool("verbose", false, "let the simulator tell what it does, on standard error")
	flag.Parse()
	if !*verbose {
		log.SetOutput(io.Discard)
	}

	folder, err := os.MkdirTemp("", "vmops-vcenter-")
	fatal(err)
	defer os.RemoveAll(folder)

	model := simulator.VPX()
	model.Datacenter, model.Cluster, model.ClusterHost, model.Host, model.Machine = *datacenters, *clusters, *hosts, 0, *vms
	if *vms == 0 {
		model.Datastore = 0
	}
	fatal(model.Create())
	defer model.Remove()
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	fatal(err)
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	model.Service.RegisterEndpoints = true
	model.Service.Listen = &url.URL{Host: *listen, User: url.UserPassword(*username, os.Getenv("VCSIM_PASSWORD"))}
	simulator.PrepareLab()
	server := model.Service.NewServer()
	defer server.Close()
	control := startControl(folder)
	defer control.Close()
	fatal(json.NewEncoder(os.Stdout).Encode(map[string]string{"address": server.URL.Host, "control": control.Addr().String()}))

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		ended <- syscall.SIGTERM
	}()
	<-ended
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		log.Fatal(err)
	}
}
