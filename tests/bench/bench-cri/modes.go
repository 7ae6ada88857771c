// SPDX-License-Identifier: Apache-2.0

// What is measured, a function each.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var mu sync.Mutex // guards the numbering of pods

// turns calls f for both servers, the other one first each time.  In the pause what one of them
// still does after its last answer ends, so that it does not slow the other down.
func turns(l serverList, count int, f func(s *server)) {
	const pause = 100 * time.Millisecond
	for i := 0; i < count; i++ {
		time.Sleep(pause)
		f(l[i%2])
		time.Sleep(pause)
		f(l[(i+1)%2])
	}
}

// life is each call of a pod's life, one pod at a time.
func life(l serverList, title string, k kind) {
	t := newTable(title, "ms")
	turns(l, *pods, func(s *server) {
		start, cpu := time.Now(), s.cpuMs()
		p := s.newPod(t, k)
		p.startContainer(t)
		t.add(s, "= pod start", ms(start))
		t.add(s, "  CPU of a pod start", s.cpuMs()-cpu)
		p.exec(t, "ExecSync true")
		cpu = s.cpuMs()
		p.exec(t, "ExecSync true, again")
		t.add(s, "  CPU of an ExecSync", s.cpuMs()-cpu)
		t.timed(s, "ContainerStatus", func() error {
			_, err := s.rt.ContainerStatus(within(callTimeout), &cri.ContainerStatusRequest{ContainerId: p.cid})
			return err
		})
		start, cpu = time.Now(), s.cpuMs()
		p.remove(t)
		t.add(s, "= pod stop", ms(start))
		t.add(s, "  CPU of a pod stop", s.cpuMs()-cpu)
	})
	t.print(l)
}

// manyPods is memory with 1, 10 and 50 pods, then the lists with 50.
func manyPods(l serverList) {
	t, ignored := newTable("memory", "MB of PSS"), newTable("", "")
	running := map[*server][]*pod{}
	for _, s := range l {
		t.add(s, "daemon without pods", pssMB(s.pid))
	}
	for _, n := range []int{1, 10, *many} {
		for _, s := range l {
			for len(running[s]) < n {
				p := s.newPod(ignored, kind{})
				p.startContainer(ignored)
				running[s] = append(running[s], p)
			}
		}
		time.Sleep(2 * time.Second)
		for _, s := range l {
			t.add(s, fmt.Sprintf("daemon with %d pods", n), pssMB(s.pid))
			t.add(s, fmt.Sprintf("a pod, of %d", n), s.overheadMB()/float64(n))
		}
	}
	t.print(l)
	lists(l)
	for _, s := range l {
		for _, p := range running[s] {
			p.remove(ignored)
		}
	}
}

func lists(l serverList) {
	t := newTable(fmt.Sprintf("lists of %d pods", *many), "ms")
	c := func() context.Context { return within(callTimeout) }
	turns(l, 30, func(s *server) {
		t.timed(s, "Version", func() error { _, e := s.rt.Version(c(), &cri.VersionRequest{}); return e })
		t.timed(s, "Status", func() error { _, e := s.rt.Status(c(), &cri.StatusRequest{}); return e })
		t.timed(s, "ListPodSandbox", func() error { _, e := s.rt.ListPodSandbox(c(), &cri.ListPodSandboxRequest{}); return e })
		t.timed(s, "ListContainers", func() error { _, e := s.rt.ListContainers(c(), &cri.ListContainersRequest{}); return e })
		t.timed(s, "ListImages", func() error { _, e := s.im.ListImages(c(), &cri.ListImagesRequest{}); return e })
		t.timed(s, "ImageFsInfo", func() error { _, e := s.im.ImageFsInfo(c(), &cri.ImageFsInfoRequest{}); return e })
		t.timed(s, "ListContainerStats", func() error {
			r, e := s.rt.ListContainerStats(c(), &cri.ListContainerStatsRequest{})
			if e == nil && len(r.Stats) < *many {
				e = fmt.Errorf("%d containers", len(r.Stats))
			}
			return e
		})
		t.timed(s, "ListPodSandboxStats", func() error {
			_, e := s.rt.ListPodSandboxStats(c(), &cri.ListPodSandboxStatsRequest{})
			return e
		})
	})
	t.print(l)
}

// ready asks until runtime and network are.
func (s *server) ready() {
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		r, err := s.rt.Status(within(time.Second), &cri.StatusRequest{})
		bad := 0
		for _, c := range r.GetStatus().GetConditions() {
			if (c.Type == "RuntimeReady" || c.Type == "NetworkReady") && !c.Status {
				bad++
			}
		}
		if err == nil && bad == 0 {
			return
		}
		if time.Now().After(end) {
			die("%s is not ready: %v", s.name, err)
		}
	}
}

func (s *server) counts() (containers, sandboxes int) {
	c, err := s.rt.ListContainers(within(callTimeout), &cri.ListContainersRequest{Filter: &cri.ContainerFilter{
		State: &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}}})
	if err != nil {
		die("%s: list containers: %v", s.name, err)
	}
	p, err := s.rt.ListPodSandbox(within(callTimeout), &cri.ListPodSandboxRequest{Filter: &cri.PodSandboxFilter{
		State: &cri.PodSandboxStateValue{State: cri.PodSandboxState_SANDBOX_READY}}})
	if err != nil {
		die("%s: list pods: %v", s.name, err)
	}
	return len(c.Containers), len(p.Items)
}

// restart ends the daemon with ten pods and starts it again; the pods must not notice.
func restart(l serverList) {
	const count = 10
	t, ignored := newTable("restart with 10 pods", "ms"), newTable("", "")
	running := map[*server][]*pod{}
	for _, s := range l {
		for i := 0; i < count; i++ {
			p := s.newPod(ignored, kind{})
			p.startContainer(ignored)
			running[s] = append(running[s], p)
		}
	}
	turns(l, *tries, func(s *server) {
		start := time.Now()
		syscall.Kill(s.pid, syscall.SIGTERM)
		for syscall.Kill(s.pid, 0) == nil {
			time.Sleep(time.Millisecond)
		}
		t.add(s, "SIGTERM until gone", ms(start))
		start = time.Now()
		out, err := exec.Command(s.start).Output()
		if err != nil {
			die("%s: start: %v", s.name, err)
		}
		s.pid, _ = strconv.Atoi(strings.TrimSpace(string(out)))
		s.ready()
		t.add(s, "start until ready", ms(start))
		if c, p := s.counts(); c != count || p != count {
			die("%s: of %d pods %d containers run and %d sandboxes are ready after a restart", s.name, count, c, p)
		}
		running[s][0].exec(t, "first ExecSync after it")
	})
	for _, s := range l {
		for _, p := range running[s] {
			p.remove(ignored)
		}
	}
	t.print(l)
}

func each(n int, f func(i int)) {
	ch := make(chan int)
	var wg sync.WaitGroup
	for w := 0; w < *workers; w++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range ch {
				f(i)
			}
		}()
	}
	for i := 0; i < n; i++ {
		ch <- i
	}
	close(ch)
	wg.Wait()
}

// parallel is many pods, some at a time.
func parallel(l serverList) {
	t, ignored := newTable(fmt.Sprintf("%d pods, %d at a time", *many, *workers), "ms"), newTable("", "")
	turns(l, 2, func(s *server) {
		list := make([]*pod, *many)
		start, cpu := time.Now(), s.cpuMs()
		each(*many, func(i int) {
			begin := time.Now()
			list[i] = s.newPod(ignored, kind{})
			list[i].startContainer(ignored)
			t.add(s, "a pod's start", ms(begin))
		})
		t.add(s, "all started", ms(start))
		t.add(s, "  CPU of a pod start", (s.cpuMs()-cpu)/float64(*many))
		start = time.Now()
		each(*many, func(i int) { list[i].remove(ignored) })
		t.add(s, "all removed", ms(start))
	})
	t.print(l)
}

// pull is an image that the server has nothing of, each time another one.
func pull(l serverList) {
	t := newTable("pull", "ms, MB")
	refs := variants(*big, *pulls)
	done := map[*server]int{}
	turns(l, *pulls, func(s *server) {
		ref := refs[done[s]]
		done[s]++
		syscall.Sync()
		time.Sleep(2 * time.Second)
		peak := s.watchMemory()
		cpu := s.cpuMs()
		t.timed(s, "PullImage", func() error { s.pull(ref); return nil })
		t.add(s, "  CPU of the pull", s.cpuMs()-cpu)
		t.add(s, "  peak memory, MB of PSS", peak())
		t.timed(s, "  sync(2) after it", func() error { syscall.Sync(); return nil })
		t.timed(s, "PullImage, present", func() error { s.pull(ref); return nil })
	})
	turns(l, *pulls, func(s *server) {
		done[s]--
		image := &cri.ImageSpec{Image: refs[done[s]]}
		t.timed(s, "RemoveImage", func() error {
			_, err := s.im.RemoveImage(within(callTimeout), &cri.RemoveImageRequest{Image: image})
			return err
		})
	})
	t.print(l)
	for _, s := range l {
		limits(s)
	}
}

// limits is what the machine itself can do where the server keeps images: nothing unpacks faster.
func limits(s *server) {
	const files, mb = 34000, 700
	dir, err := os.MkdirTemp(s.disk, "limits")
	if err != nil {
		die("%s: %v", s.name, err)
	}
	defer os.RemoveAll(dir)
	start, data := time.Now(), make([]byte, mb<<20/files)
	for i := 0; i < files; i++ {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), data, 0o644); err != nil {
			die("%v", err)
		}
	}
	made := ms(start)
	syscall.Sync()
	fmt.Printf("%s: %d files of %d MB together made in %.0f ms, on the disk after %.0f ms\n",
		s.disk, files, mb, made, ms(start))
}
