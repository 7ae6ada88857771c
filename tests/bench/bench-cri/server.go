// SPDX-License-Identifier: Apache-2.0

// A server under measurement: its socket, its process, and the cgroup that holds all it costs.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const callTimeout = 5 * time.Minute

// server: its daemon runs in <cgroup>/daemon and its pods in <cgroup>/pods, so that CPU time and
// processes of helpers, runtimes and plugins are counted wherever they live.
type server struct {
	name, endpoint, cgroup, start string
	disk                          string // where it keeps images
	pid                           int
	logs                          string
	pods                          int
	rt                            cri.RuntimeServiceClient
	im                            cri.ImageServiceClient
}

func parseServer(text string) (*server, error) {
	parts := strings.Split(text, ",")
	s := &server{name: parts[0]}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		switch key {
		case "endpoint":
			s.endpoint = value
		case "pid":
			s.pid, _ = strconv.Atoi(value)
		case "cgroup":
			s.cgroup = value
		case "start":
			s.start = value
		case "disk":
			s.disk = value
		default:
			return nil, fmt.Errorf("unknown key '%s'", key)
		}
	}
	if s.endpoint == "" || s.pid <= 1 || s.cgroup == "" {
		return nil, fmt.Errorf("server '%s' needs endpoint, pid and cgroup", s.name)
	}
	return s, nil
}

func (s *server) connect() {
	// a restart is waited for in steps of 2 ms
	retry := backoff.Config{BaseDelay: 2 * time.Millisecond, Multiplier: 1, MaxDelay: 2 * time.Millisecond}
	c, err := grpc.NewClient("unix://"+s.endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}))
	if err != nil {
		die("%s: %v", s.name, err)
	}
	s.rt, s.im = cri.NewRuntimeServiceClient(c), cri.NewImageServiceClient(c)
}

func within(limit time.Duration) context.Context {
	c, cancel := context.WithTimeout(context.Background(), limit)
	time.AfterFunc(limit, cancel)
	return c
}

func (s *server) pull(ref string) {
	want := &cri.PullImageRequest{Image: &cri.ImageSpec{Image: ref}}
	if _, err := s.im.PullImage(within(callTimeout), want); err != nil {
		die("%s: pull %s: %v", s.name, ref, err)
	}
}

// warm brings the image and runs a pod, whose figures are thrown away.
func (s *server) warm() {
	s.pull(*image)
	t := newTable("", "")
	p := s.newPod(t, kind{})
	p.startContainer(t)
	p.remove(t)
}

// cpuMs is the CPU time that the server and all its pods have used.
func (s *server) cpuMs() float64 {
	if b, err := os.ReadFile("/sys/fs/cgroup/cpuacct" + s.cgroup + "/cpuacct.usage"); err == nil {
		ns, _ := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
		return ns / 1e6
	}
	b, err := os.ReadFile("/sys/fs/cgroup" + s.cgroup + "/cpu.stat")
	if err != nil {
		die("%s: no CPU figures: %v", s.name, err)
	}
	us, _ := strconv.ParseFloat(strings.Fields(string(b))[1], 64)
	return us / 1e3
}

// processes of the server's cgroup, by pid.
func (s *server) processes() []int {
	var pids []int
	root := "/sys/fs/cgroup" + s.cgroup
	if _, err := os.Stat("/sys/fs/cgroup/cpuacct"); err == nil {
		root = "/sys/fs/cgroup/cpuacct" + s.cgroup
	}
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "cgroup.procs" {
			b, _ := os.ReadFile(path)
			for _, f := range strings.Fields(string(b)) {
				pid, _ := strconv.Atoi(f)
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// pssMB is a process's proportional share of memory.
func pssMB(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// overheadMB is the memory of helpers in the server's cgroup: all but the daemon and the
// workload (sh and its sleep).
func (s *server) overheadMB() float64 {
	sum := 0.0
	for _, pid := range s.processes() {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		name := strings.TrimSpace(string(b))
		if pid != s.pid && name != "sh" && name != "sleep" && name != "busybox" {
			sum += pssMB(pid)
		}
	}
	return sum
}

// watchMemory samples all processes of the server.  What it returns ends that and gives the peak.
func (s *server) watchMemory() func() float64 {
	stop, result := make(chan bool), make(chan float64)
	go func() {
		peak := 0.0
		for {
			sum := 0.0
			for _, pid := range s.processes() {
				sum += pssMB(pid)
			}
			peak = max(peak, sum)
			select {
			case <-stop:
				result <- peak
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() float64 { stop <- true; return <-result }
}
