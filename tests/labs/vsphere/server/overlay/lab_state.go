// Copyright: (c) 2026, vmops.migration contributors
// GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package simulator

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// LabSettings are the times and faults that a test sets. What is absent stays as it is.
type LabSettings struct {
	MoveSeconds     *float64  `json:"move_seconds"`     // how long every relocation takes, those under way too
	Fail            *LabFault `json:"fail"`             // a task on a VM fails
	ExpireSessions  bool      `json:"expire_sessions"`  // all sessions end now
	DropConnections int       `json:"drop_connections"` // so many next calls are cut off before they are read
	LoseAnswerOf    string    `json:"lose_answer_of"`   // the next call of this method is carried out, and its answer is lost
}

// LabFault says that the next relocation of the VM fails at that percentage.
type LabFault struct {
	VM        string  `json:"vm"`
	AtPercent float64 `json:"at_percent"`
}

// labState is what the lab adds to the simulator; mu guards all of it and is never held while another lock is asked for.
var labState = struct {
	mu          sync.Mutex
	moveSeconds float64
	faults      map[string]float64
	calls       map[string]int
	drop        int
	loseAnswer  string
	cancels     map[types.ManagedObjectReference]chan struct{}
}{faults: map[string]float64{}, calls: map[string]int{}, cancels: map[types.ManagedObjectReference]chan struct{}{}}

// Apply sets what is given.
func (s LabSettings) Apply() error {
	if s.ExpireSessions {
		labExpireSessions()
	}
	labState.mu.Lock()
	defer labState.mu.Unlock()
	if s.MoveSeconds != nil {
		labState.moveSeconds = *s.MoveSeconds
	}
	if s.Fail != nil {
		labState.faults[s.Fail.VM] = s.Fail.AtPercent
	}
	labState.drop += s.DropConnections
	if s.LoseAnswerOf != "" {
		labState.loseAnswer = s.LoseAnswerOf
	}
	return nil
}

// LabCalls tells how many calls were answered.
func LabCalls() map[string]any {
	labState.mu.Lock()
	defer labState.mu.Unlock()
	together, methods := 0, map[string]int{}
	for method, count := range labState.calls {
		together += count
		methods[method] = count
	}
	return map[string]any{"calls": together, "methods": methods}
}

func labCount(method string) {
	labState.mu.Lock()
	defer labState.mu.Unlock()
	labState.calls[method]++
}

func labMoveTime() time.Duration {
	labState.mu.Lock()
	defer labState.mu.Unlock()
	return time.Duration(labState.moveSeconds * float64(time.Second))
}

// labFaultOf takes the fault that waits for the VM: the percentage at which it fails, or false.
func labFaultOf(vm string) (float64, bool) {
	labState.mu.Lock()
	defer labState.mu.Unlock()
	at, ok := labState.faults[vm]
	delete(labState.faults, vm)
	return at, ok
}

// labExpireSessions ends every session, as the server does after their idle time.
func labExpireSessions() {
	manager := Map.SessionManager()
	Map.WithLock(manager, func() {
		for id := range manager.sessions {
			delete(manager.sessions, id)
		}
	})
}

// ServeSDK stands in for the stock handler: some calls are cut off before or after they are carried out.
func (s *Service) ServeSDK(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	labState.mu.Lock()
	before := labState.drop > 0
	after := !before && labState.loseAnswer != "" && bytes.Contains(body, []byte("<"+labState.loseAnswer+" "))
	if before {
		labState.drop--
	}
	if after {
		labState.loseAnswer = ""
	}
	labState.mu.Unlock()
	switch {
	case before:
		labCut(w)
	case after:
		s.stockServeSDK(&labLost{header: http.Header{}}, r)
		labCut(w)
	default:
		s.stockServeSDK(w, r)
	}
}

// labLost takes an answer that nobody gets.
type labLost struct{ header http.Header }

func (l *labLost) Header() http.Header         { return l.header }
func (l *labLost) Write(b []byte) (int, error) { return len(b), nil }
func (l *labLost) WriteHeader(int)             {}

// labCut closes the connection without an answer.
func labCut(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if connection, _, err := hijacker.Hijack(); err == nil {
			_ = connection.Close()
		}
	}
}
