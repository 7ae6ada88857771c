// SPDX-License-Identifier: Apache-2.0

// A pod with one container, and the calls of its life.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// kind of pods: on the host network; with RuntimeDefault as the container's seccomp profile.
type kind struct {
	host, seccomp bool
}

type pod struct {
	kind
	s       *server
	id, cid string
	config  *cri.PodSandboxConfig
}

func (s *server) newPod(t *table, k kind) *pod {
	mu.Lock()
	s.pods++
	name := fmt.Sprintf("b%d", s.pods)
	mu.Unlock()
	p := &pod{kind: k, s: s}
	p.config = &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: name, Uid: fmt.Sprintf("%s-%d", name, time.Now().UnixNano()), Namespace: "bench"},
		LogDirectory: filepath.Join(s.logs, s.name, name),
		DnsConfig:    &cri.DNSConfig{Servers: []string{"10.96.0.10"}, Searches: []string{"default.svc.cluster.local"}},
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent:    s.cgroup + "/pods",
			SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: p.namespaces()},
		},
	}
	if !p.host { // a pod on the host network has no UTS namespace of its own
		p.config.Hostname = name
	}
	os.MkdirAll(p.config.LogDirectory, 0o755)
	t.timed(s, "RunPodSandbox", func() error {
		r, err := s.rt.RunPodSandbox(within(callTimeout), &cri.RunPodSandboxRequest{Config: p.config})
		p.id = r.GetPodSandboxId()
		return err
	})
	return p
}

func (p *pod) namespaces() *cri.NamespaceOption {
	network := cri.NamespaceMode_POD
	if p.host {
		network = cri.NamespaceMode_NODE
	}
	return &cri.NamespaceOption{Network: network, Pid: cri.NamespaceMode_CONTAINER, Ipc: cri.NamespaceMode_POD}
}

func (p *pod) startContainer(t *table) {
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: "c"},
		Image:    &cri.ImageSpec{Image: *image},
		Command:  []string{"sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait"},
		LogPath:  "c.log",
		Linux: &cri.LinuxContainerConfig{
			Resources:       &cri.LinuxContainerResources{CpuShares: 100, OomScoreAdj: 900},
			SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: p.namespaces()},
		},
	}
	if p.seccomp {
		config.Linux.SecurityContext.Seccomp = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_RuntimeDefault}
	}
	want := &cri.CreateContainerRequest{PodSandboxId: p.id, Config: config, SandboxConfig: p.config}
	t.timed(p.s, "CreateContainer", func() error {
		r, err := p.s.rt.CreateContainer(within(callTimeout), want)
		p.cid = r.GetContainerId()
		return err
	})
	t.timed(p.s, "StartContainer", func() error {
		_, err := p.s.rt.StartContainer(within(callTimeout), &cri.StartContainerRequest{ContainerId: p.cid})
		return err
	})
}

func (p *pod) exec(t *table, row string) {
	t.timed(p.s, row, func() error {
		r, err := p.s.rt.ExecSync(within(callTimeout), &cri.ExecSyncRequest{ContainerId: p.cid, Cmd: []string{"/bin/true"}, Timeout: 60})
		if err == nil && r.ExitCode != 0 {
			err = fmt.Errorf("exit code %d: %s", r.ExitCode, r.Stderr)
		}
		return err
	})
}

// remove ends a pod with the calls and in the order of a kubelet.
func (p *pod) remove(t *table) {
	t.timed(p.s, "StopContainer", func() error {
		_, err := p.s.rt.StopContainer(within(callTimeout), &cri.StopContainerRequest{ContainerId: p.cid, Timeout: 10})
		return err
	})
	t.timed(p.s, "StopPodSandbox", func() error {
		_, err := p.s.rt.StopPodSandbox(within(callTimeout), &cri.StopPodSandboxRequest{PodSandboxId: p.id})
		return err
	})
	t.timed(p.s, "RemoveContainer", func() error {
		_, err := p.s.rt.RemoveContainer(within(callTimeout), &cri.RemoveContainerRequest{ContainerId: p.cid})
		return err
	})
	t.timed(p.s, "RemovePodSandbox", func() error {
		_, err := p.s.rt.RemovePodSandbox(within(callTimeout), &cri.RemovePodSandboxRequest{PodSandboxId: p.id})
		return err
	})
}
