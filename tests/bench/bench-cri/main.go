// SPDX-License-Identifier: Apache-2.0

// bench-cri measures a CRI runtime through its gRPC API. One line per figure:
//
//	name  n  min  median  p99  max  unit
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var (
	endpoint = flag.String("endpoint", "", "unix:///path of the runtime")
	handler  = flag.String("handler", "", "runtime handler")
	modes    = flag.String("modes", "life,mem,par,list", "what to run: life,mem,par,list,pull,restart,churn")
	nlife    = flag.Int("pods", 30, "pods in life mode")
	npar     = flag.Int("par", 50, "pods in par mode")
	workers  = flag.Int("workers", 8, "workers in par mode")
	steps    = flag.String("steps", "1,10,50", "pod counts in mem mode")
	image    = flag.String("image", "127.0.0.1:5000/demo/busybox:1", "container image")
	big      = flag.String("big", "127.0.0.1:5000/demo/big:1", "image of pull mode")
	npull    = flag.Int("pulls", 5, "pulls in pull mode")
	daemon   = flag.Int("daemon-pid", 0, "pid of the daemon (mem, restart)")
	startCmd = flag.String("start", "", "command that starts the daemon again and prints its pid (restart)")
	match    = flag.String("match", `^(containerd-shim|bulkhead|conmon)`, "helper processes to count beside those in the pods' cgroups (program name)")
	hostnet  = flag.Bool("hostnet", false, "pods on the host network (no CNI)")
	parent   = flag.String("cgroup-parent", "/bench-cri", "cgroup parent of the pods")
	acct     = flag.String("cpuacct", "", "a cpuacct cgroup directory that the daemon and its helpers run in")
	sig      = syscall.SIGTERM
)

type pod struct {
	id, cid string
	cfg     *cri.PodSandboxConfig
}

var (
	rt   cri.RuntimeServiceClient
	im   cri.ImageServiceClient
	seq  int
	mu   sync.Mutex
	data = map[string][]float64{}
	keys []string
	run  = fmt.Sprintf("%d", time.Now().UnixNano()%1e9)
	logs string
)

func die(f string, a ...any) { fmt.Fprintf(os.Stderr, f+"\n", a...); os.Exit(1) }

func rec(name string, v float64) {
	mu.Lock()
	defer mu.Unlock()
	if _, ok := data[name]; !ok {
		keys = append(keys, name)
	}
	data[name] = append(data[name], v)
}

func timed(name string, f func() error) {
	t := time.Now()
	if err := f(); err != nil {
		die("%s: %v", name, err)
	}
	rec(name, float64(time.Since(t).Microseconds())/1000)
}

func report(unit string) {
	for _, k := range keys {
		v := data[k]
		sort.Float64s(v)
		p := v[(len(v)*99+99)/100-1]
		fmt.Printf("%-34s %3d %9.2f %9.2f %9.2f %9.2f %s\n", k, len(v), v[0], v[len(v)/2], p, v[len(v)-1], unit)
	}
	data, keys = map[string][]float64{}, nil
}

func ctx() context.Context {
	c, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	_ = cancel
	return c
}

func newPod(pre string) *pod {
	mu.Lock()
	seq++
	n := seq
	mu.Unlock()
	ns := cri.NamespaceMode_POD
	if *hostnet {
		ns = cri.NamespaceMode_NODE
	}
	cfg := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: fmt.Sprintf("b%d", n), Uid: fmt.Sprintf("u%s-%d", run, n), Namespace: "bench"},
		LogDirectory: filepath.Join(logs, fmt.Sprintf("b%d", n)),
		DnsConfig:    &cri.DNSConfig{Servers: []string{"10.96.0.10"}, Searches: []string{"default.svc.cluster.local"}},
		Labels:       map[string]string{"bench": run},
		Linux: &cri.LinuxPodSandboxConfig{CgroupParent: *parent, SecurityContext: &cri.LinuxSandboxSecurityContext{
			NamespaceOptions: &cri.NamespaceOption{Network: ns, Pid: cri.NamespaceMode_CONTAINER, Ipc: cri.NamespaceMode_POD}}},
	}
	if !*hostnet { // a pod on the host network has no UTS namespace of its own
		cfg.Hostname = fmt.Sprintf("b%d", n)
	}
	os.MkdirAll(cfg.LogDirectory, 0o755)
	p := &pod{cfg: cfg}
	timed(pre+"RunPodSandbox", func() error {
		r, err := rt.RunPodSandbox(ctx(), &cri.RunPodSandboxRequest{Config: cfg, RuntimeHandler: *handler})
		p.id = r.GetPodSandboxId()
		return err
	})
	return p
}

func (p *pod) container(pre string) {
	ns := cri.NamespaceMode_POD
	if *hostnet {
		ns = cri.NamespaceMode_NODE
	}
	cc := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: "c"},
		Image:    &cri.ImageSpec{Image: *image},
		Command:  []string{"sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait"},
		LogPath:  "c.log",
		Linux: &cri.LinuxContainerConfig{Resources: &cri.LinuxContainerResources{CpuShares: 100, OomScoreAdj: 900},
			SecurityContext: &cri.LinuxContainerSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Network: ns, Pid: cri.NamespaceMode_CONTAINER, Ipc: cri.NamespaceMode_POD}}},
	}
	timed(pre+"CreateContainer", func() error {
		r, err := rt.CreateContainer(ctx(), &cri.CreateContainerRequest{PodSandboxId: p.id, Config: cc, SandboxConfig: p.cfg})
		p.cid = r.GetContainerId()
		return err
	})
	timed(pre+"StartContainer", func() error {
		_, err := rt.StartContainer(ctx(), &cri.StartContainerRequest{ContainerId: p.cid})
		return err
	})
}

func (p *pod) exec(name string, cmd ...string) {
	timed(name, func() error {
		r, err := rt.ExecSync(ctx(), &cri.ExecSyncRequest{ContainerId: p.cid, Cmd: cmd, Timeout: 60})
		if err == nil && r.ExitCode != 0 {
			err = fmt.Errorf("exit %d: %s%s", r.ExitCode, r.Stdout, r.Stderr)
		}
		return err
	})
}

func (p *pod) down(pre string) {
	if p.cid != "" {
		timed(pre+"StopContainer", func() error {
			_, err := rt.StopContainer(ctx(), &cri.StopContainerRequest{ContainerId: p.cid, Timeout: 10})
			return err
		})
		timed(pre+"RemoveContainer", func() error {
			_, err := rt.RemoveContainer(ctx(), &cri.RemoveContainerRequest{ContainerId: p.cid})
			return err
		})
	}
	timed(pre+"StopPodSandbox", func() error {
		_, err := rt.StopPodSandbox(ctx(), &cri.StopPodSandboxRequest{PodSandboxId: p.id})
		return err
	})
	timed(pre+"RemovePodSandbox", func() error {
		_, err := rt.RemovePodSandbox(ctx(), &cri.RemovePodSandboxRequest{PodSandboxId: p.id})
		return err
	})
}

func pull(ref string) {
	if _, err := im.PullImage(ctx(), &cri.PullImageRequest{Image: &cri.ImageSpec{Image: ref}}); err != nil {
		die("pull %s: %v", ref, err)
	}
}

// pss returns kB of proportional and private memory.
func pss(pid string) (p, priv float64) {
	b, _ := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	for _, l := range strings.Split(string(b), "\n") {
		f := strings.Fields(l)
		if len(f) < 2 {
			continue
		}
		v, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "Pss:":
			p = v
		case "Private_Clean:", "Private_Dirty:":
			priv += v
		}
	}
	return
}

func available() float64 {
	b, _ := os.ReadFile("/proc/meminfo")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == "MemAvailable:" {
			v, _ := strconv.ParseFloat(f[1], 64)
			return v
		}
	}
	return 0
}

func pids() map[string]bool {
	m := map[string]bool{}
	d, _ := os.ReadDir("/proc")
	for _, e := range d {
		if _, err := strconv.Atoi(e.Name()); err == nil {
			m[e.Name()] = true
		}
	}
	return m
}

func life() {
	for i := 0; i < *nlife; i++ {
		t, c0 := time.Now(), cpu(*daemon)
		p := newPod("")
		p.container("")
		rec("  CPU of a pod start", cpu(*daemon)-c0)
		rec("= pod start (Run+Create+Start)", float64(time.Since(t).Microseconds())/1000)
		p.exec("ExecSync true", "/bin/true")
		c0 = cpu(*daemon)
		p.exec("ExecSync true (2nd)", "/bin/true")
		rec("  CPU of an ExecSync", cpu(*daemon)-c0)
		timed("ContainerStatus", func() error {
			_, err := rt.ContainerStatus(ctx(), &cri.ContainerStatusRequest{ContainerId: p.cid})
			return err
		})
		t, c0 = time.Now(), cpu(*daemon)
		p.down("")
		rec("  CPU of a pod stop", cpu(*daemon)-c0)
		rec("= pod stop (all four)", float64(time.Since(t).Microseconds())/1000)
	}
	report("ms")
}

func mem() {
	re := regexp.MustCompile(*match)
	before, avail0 := pids(), available()
	dpid := strconv.Itoa(*daemon)
	d0, _ := pss(dpid)
	fmt.Printf("daemon PSS before                  %9.0f kB\n", d0)
	var ps []*pod
	for _, s := range strings.Split(*steps, ",") {
		n, _ := strconv.Atoi(s)
		for len(ps) < n {
			p := newPod("m")
			p.container("m")
			ps = append(ps, p)
		}
		time.Sleep(2 * time.Second)
		by, cnt, tot := map[string]float64{}, map[string]int{}, 0.0
		for pid := range pids() {
			if before[pid] {
				continue
			}
			cl, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			cg, _ := os.ReadFile("/proc/" + pid + "/cgroup")
			comm, _ := os.ReadFile("/proc/" + pid + "/comm")
			if len(cl) == 0 || pid == strconv.Itoa(os.Getpid()) {
				continue
			}
			// the program and its own arguments can hold anything: look at argv[0] alone
			arg0, _, _ := strings.Cut(string(cl), "\x00")
			if !re.MatchString(filepath.Base(arg0)) && !re.Match(comm) && !strings.Contains(string(cg), *parent) {
				continue
			}
			v, _ := pss(pid)
			c := strings.TrimSpace(string(comm))
			by[c] += v
			cnt[c]++
			tot += v
		}
		d, dp := pss(dpid)
		fmt.Printf("pods %3d: daemon PSS %.0f kB (private %.0f), new processes %.0f kB = %.0f kB/pod, MemAvailable down %.0f kB/pod\n",
			n, d, dp, tot, tot/float64(n), (avail0-available())/float64(n))
		var ks []string
		for k := range by {
			ks = append(ks, k)
		}
		sort.Strings(ks)
		for _, k := range ks {
			fmt.Printf("   %-18s x%-4d %9.0f kB  %8.0f kB each\n", k, cnt[k], by[k], by[k]/float64(cnt[k]))
		}
	}
	data, keys = map[string][]float64{}, nil
	lists(fmt.Sprintf(" @%d", len(ps)), len(ps))
	for _, p := range ps {
		p.down("m")
	}
	data, keys = map[string][]float64{}, nil
	time.Sleep(time.Second)
	d, _ := pss(dpid)
	fmt.Printf("daemon PSS after all removed       %9.0f kB\n", d)
}

func lists(suf string, want int) {
	for i := 0; i < 50; i++ {
		timed("Version"+suf, func() error { _, e := rt.Version(ctx(), &cri.VersionRequest{}); return e })
		timed("Status"+suf, func() error { _, e := rt.Status(ctx(), &cri.StatusRequest{}); return e })
		timed("ListPodSandbox"+suf, func() error {
			r, e := rt.ListPodSandbox(ctx(), &cri.ListPodSandboxRequest{})
			if e == nil && len(r.Items) < want {
				e = fmt.Errorf("%d pods", len(r.Items))
			}
			return e
		})
		timed("ListContainers"+suf, func() error { _, e := rt.ListContainers(ctx(), &cri.ListContainersRequest{}); return e })
		timed("ListImages"+suf, func() error { _, e := im.ListImages(ctx(), &cri.ListImagesRequest{}); return e })
		timed("ImageFsInfo"+suf, func() error { _, e := im.ImageFsInfo(ctx(), &cri.ImageFsInfoRequest{}); return e })
	}
	for i := 0; i < 15; i++ {
		timed("ListContainerStats"+suf, func() error {
			_, e := rt.ListContainerStats(ctx(), &cri.ListContainerStatsRequest{})
			return e
		})
		timed("ListPodSandboxStats"+suf, func() error {
			_, e := rt.ListPodSandboxStats(ctx(), &cri.ListPodSandboxStatsRequest{})
			return e
		})
	}
	report("ms")
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

func par() {
	ps := make([]*pod, *npar)
	t := time.Now()
	each(*npar, func(i int) {
		t := time.Now()
		p := newPod("par ")
		p.container("par ")
		rec("par pod start", float64(time.Since(t).Microseconds())/1000)
		ps[i] = p
	})
	up := time.Since(t)
	t = time.Now()
	each(*npar, func(i int) { ps[i].down("par ") })
	down := time.Since(t)
	fmt.Printf("parallel %d pods, %d at a time: up %.2f s (%.1f pods/s), down %.2f s\n", *npar, *workers, up.Seconds(),
		float64(*npar)/up.Seconds(), down.Seconds())
	report("ms")
}

func pulls() {
	rm := func() {
		im.RemoveImage(ctx(), &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: *big}})
	}
	for i := 0; i < *npull; i++ {
		rm()
		syscall.Sync()
		time.Sleep(2 * time.Second)
		c0 := cpu(*daemon)
		timed("PullImage big", func() error { pull(*big); return nil })
		if *daemon > 0 {
			rec("  CPU of the pull", cpu(*daemon)-c0)
		}
		timed("  sync(2) after it", func() error { syscall.Sync(); return nil })
		timed("PullImage big, present", func() error { pull(*big); return nil })
		timed("RemoveImage big", func() error { rm(); return nil })
	}
	report("ms")
}

// cpu is the user+system time in ms of the daemon's cgroup if there is one, else of the process.
func cpu(pid int) float64 {
	if *acct != "" {
		b, _ := os.ReadFile(*acct + "/cpuacct.usage")
		v, _ := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
		return v / 1e6
	}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s := string(b)
	f := strings.Fields(s[strings.LastIndex(s, ")")+1:])
	if len(f) < 13 {
		return 0
	}
	u, _ := strconv.ParseFloat(f[11], 64)
	v, _ := strconv.ParseFloat(f[12], 64)
	return (u + v) * 10
}

func restart() {
	var ps []*pod
	for i := 0; i < 10; i++ {
		p := newPod("r")
		p.container("r")
		ps = append(ps, p)
	}
	data, keys = map[string][]float64{}, nil
	pid := *daemon
	for i := 0; i < 5; i++ {
		t := time.Now()
		syscall.Kill(pid, sig)
		for syscall.Kill(pid, 0) == nil {
			time.Sleep(2 * time.Millisecond)
		}
		rec("daemon exits after signal", float64(time.Since(t).Microseconds())/1000)
		t = time.Now()
		out, err := exec.Command("sh", "-c", *startCmd).Output()
		if err != nil {
			die("start: %v", err)
		}
		pid, _ = strconv.Atoi(strings.TrimSpace(string(out)))
		for {
			c, cancel := context.WithTimeout(context.Background(), time.Second)
			r, err := rt.Status(c, &cri.StatusRequest{})
			cancel()
			if err == nil {
				ok := true
				for _, x := range r.Status.Conditions {
					if x.Type == "RuntimeReady" || x.Type == "NetworkReady" {
						ok = ok && x.Status
					}
				}
				if ok {
					break
				}
			}
			if time.Since(t) > 60*time.Second {
				die("not ready: %v", err)
			}
			time.Sleep(2 * time.Millisecond)
		}
		rec("ready after start (10 pods)", float64(time.Since(t).Microseconds())/1000)
		l, _ := rt.ListContainers(ctx(), &cri.ListContainersRequest{Filter: &cri.ContainerFilter{
			State: &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}}})
		s, _ := rt.ListPodSandbox(ctx(), &cri.ListPodSandboxRequest{Filter: &cri.PodSandboxFilter{
			State: &cri.PodSandboxStateValue{State: cri.PodSandboxState_SANDBOX_READY}}})
		rec("containers still running", float64(len(l.GetContainers())))
		rec("sandboxes still ready", float64(len(s.GetItems())))
		ps[0].exec("first ExecSync after", "/bin/true")
	}
	for _, p := range ps {
		p.down("r")
	}
	report("ms/count")
	fmt.Println("daemon pid now", pid)
}

func churn() {
	dpid := strconv.Itoa(*daemon)
	a, _ := pss(dpid)
	c0, t := cpu(*daemon), time.Now()
	for i := 0; i < 100; i++ {
		p := newPod("c")
		p.container("c")
		p.down("c")
	}
	b, _ := pss(dpid)
	fmt.Printf("churn 100 pods one after the other: %.1f s, daemon PSS %.0f -> %.0f kB, CPU %.1f ms/pod\n",
		time.Since(t).Seconds(), a, b, (cpu(*daemon)-c0)/100)
	data, keys = map[string][]float64{}, nil
}

func main() {
	flag.Parse()
	c, err := grpc.NewClient(*endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 2 * time.Millisecond,
			Multiplier: 1, MaxDelay: 2 * time.Millisecond}, MinConnectTimeout: time.Second}))
	if err != nil {
		die("%v", err)
	}
	rt, im = cri.NewRuntimeServiceClient(c), cri.NewImageServiceClient(c)
	logs, _ = os.MkdirTemp("", "bench-cri")
	defer os.RemoveAll(logs)
	v, err := rt.Version(ctx(), &cri.VersionRequest{})
	if err != nil {
		die("version: %v", err)
	}
	fmt.Printf("# %s %s, handler %q, hostnet %v, %s\n", v.RuntimeName, v.RuntimeVersion, *handler, *hostnet, time.Now().Format("2006-01-02 15:04"))
	pull(*image)
	warm := newPod("w")
	warm.container("w")
	warm.down("w")
	data, keys = map[string][]float64{}, nil
	fmt.Printf("# %-32s %3s %9s %9s %9s %9s\n", "", "n", "min", "median", "p99", "max")
	f := map[string]func(){"life": life, "mem": mem, "par": par, "list": func() { lists("", 0) }, "pull": pulls,
		"restart": restart, "churn": churn}
	for _, m := range strings.Split(*modes, ",") {
		if f[m] == nil {
			die("no mode %q", m)
		}
		fmt.Println("## " + m)
		f[m]()
	}
}
