// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/vmware/govmomi/simulator"
)

// startControl serves what no API has, as JSON over HTTP on a port of the loopback. Files of datastores lie under folder.
//
//	GET  /calls       how many calls were answered, together and by method
//	POST /settings    times and faults: see simulator.LabSettings
//	POST /datastores  a datastore: see simulator.LabDatastore
//	POST /hosts       a host's connection, vMotion, version or networks: see simulator.LabHost
//	POST /files       a file in a datastore (pool and name in the query), with what is sent
//	POST /clusters    what DRS does, and rules of VMs and hosts: see simulator.LabCluster
//	POST /vms         how a guest shuts down: see simulator.LabVM
func startControl(folder string) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fatal(err)
	mux := http.NewServeMux()
	mux.HandleFunc("/calls", func(w http.ResponseWriter, _ *http.Request) { answer(w, simulator.LabCalls(), nil) })
	mux.HandleFunc("/settings", func(w http.ResponseWriter, r *http.Request) {
		var given simulator.LabSettings
		if answered(w, r, &given) {
			return
		}
		answer(w, nil, given.Apply())
	})
	mux.HandleFunc("/datastores", func(w http.ResponseWriter, r *http.Request) {
		var given simulator.LabDatastore
		if answered(w, r, &given) {
			return
		}
		path := filepath.Join(folder, filepath.Base(given.Folder+given.Name))
		if err := os.MkdirAll(path, 0o700); err != nil {
			answer(w, nil, err)
			return
		}
		answer(w, nil, given.Add(path))
	})
	mux.HandleFunc("/hosts", func(w http.ResponseWriter, r *http.Request) {
		var given simulator.LabHost
		if answered(w, r, &given) {
			return
		}
		answer(w, nil, given.Apply())
	})
	mux.HandleFunc("/clusters", func(w http.ResponseWriter, r *http.Request) {
		var given simulator.LabCluster
		if answered(w, r, &given) {
			return
		}
		answer(w, nil, given.Apply())
	})
	mux.HandleFunc("/vms", func(w http.ResponseWriter, r *http.Request) {
		var given simulator.LabVM
		if answered(w, r, &given) {
			return
		}
		answer(w, nil, given.Apply())
	})
	mux.HandleFunc("/files", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			path := filepath.Join(folder, filepath.Base(r.URL.Query().Get("pool")), filepath.Base(r.URL.Query().Get("name")))
			err = os.WriteFile(path, data, 0o600)
		}
		answer(w, nil, err)
	})
	go func() { _ = http.Serve(listener, mux) }()
	return listener
}

// answered reads the request; true where it could not be read and that was said.
func answered(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return true
	}
	return false
}

func answer(w http.ResponseWriter, what any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(what)
}
