// SPDX-License-Identifier: Apache-2.0

// bench-cri: two CRI servers side by side, through their sockets.
//
// Each measurement alternates between the servers, pod by pod and call by call, so that whatever
// else the machine does hits both.  What it prints are medians and the ratio of the first server
// to the second; -v adds minimum and 99th percentile.  tests/bench/bench-pod starts the servers.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

var (
	image   = flag.String("image", "", "image of the pods: needs sh, sleep and /bin/true")
	big     = flag.String("big", "", "image of mode pull")
	pods    = flag.Int("pods", 30, "pods of modes cni and host")
	many    = flag.Int("many", 50, "pods of modes many and parallel")
	workers = flag.Int("workers", 8, "pods at a time in mode parallel")
	pulls   = flag.Int("pulls", 3, "pulls in mode pull")
	tries   = flag.Int("restarts", 7, "restarts in mode restart")
	modes   = flag.String("modes", "cni,host,many,restart", "what to measure: cni, host, seccomp, many, restart, parallel, pull")
	goals   = flag.Bool("goals", false, "say at the end which goals were met")
	verbose = flag.Bool("v", false, "print minimum and 99th percentile as well")
)

type serverList []*server

func (l *serverList) String() string { return "" }

func (l *serverList) Set(text string) error {
	s, err := parseServer(text)
	*l = append(*l, s)
	return err
}

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func main() {
	var servers serverList
	flag.Var(&servers, "server", "NAME,endpoint=SOCKET,pid=PID,cgroup=PATH,start=COMMAND,disk=DIR; twice")
	flag.Parse()
	if len(servers) != 2 {
		die("-server must be given twice")
	}
	logs, err := os.MkdirTemp("", "bench-cri")
	if err != nil {
		die("%v", err)
	}
	defer os.RemoveAll(logs)
	for _, s := range servers {
		s.logs = logs
		s.connect()
		s.warm()
	}
	run := map[string]func(serverList){
		"cni":      func(l serverList) { life(l, "pods with CNI", kind{}) },
		"host":     func(l serverList) { life(l, "pods on the host network", kind{host: true}) },
		"seccomp":  func(l serverList) { life(l, "host network, default seccomp", kind{host: true, seccomp: true}) },
		"many":     manyPods,
		"restart":  restart,
		"parallel": parallel,
		"pull":     pull,
	}
	for _, m := range strings.Split(*modes, ",") {
		if run[m] == nil {
			die("no mode '%s'", m)
		}
		run[m](servers)
	}
	if *goals {
		printGoals()
	}
}
