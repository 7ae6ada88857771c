// SPDX-License-Identifier: Apache-2.0

// Calls that leave early: what a pod is after its caller has gone (row TR-8), and ids (TR-10).
package main

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func podConfig(name string, network cri.NamespaceMode) *cri.PodSandboxConfig {
	return &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: name, Namespace: "grpc", Uid: name + "-uid"},
		Linux: &cri.LinuxPodSandboxConfig{SecurityContext: &cri.LinuxSandboxSecurityContext{
			NamespaceOptions: &cri.NamespaceOption{Network: network},
		}},
	}
}

func remove(r cri.RuntimeServiceClient, id string) error {
	ctx := within(60 * time.Second)
	if _, err := r.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
		return err
	}
	_, err := r.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
	return err
}

// How many pods of that name there are.
func pods(r cri.RuntimeServiceClient, name string) int {
	list, err := r.ListPodSandbox(within(20*time.Second), &cri.ListPodSandboxRequest{})
	if err != nil {
		return -1
	}
	count := 0
	for _, p := range list.Items {
		if p.Metadata.Name == name {
			count++
		}
	}
	return count
}

// Leaves RunPodSandbox after @d, asks again as the kubelet does, and takes the pod away.
func leaveAndRetry(r cri.RuntimeServiceClient, d time.Duration, cancel bool) {
	name := fmt.Sprintf("left-%v-%v", d, cancel)
	req := &cri.RunPodSandboxRequest{Config: podConfig(name, cri.NamespaceMode_POD)}
	ctx, stop := context.WithCancel(context.Background())
	if cancel {
		time.AfterFunc(d, stop)
	} else {
		stop()
		ctx, stop = context.WithTimeout(context.Background(), d)
	}
	_, err := r.RunPodSandbox(ctx, req)
	stop()
	first := status.Code(err)
	ok(first == codes.OK || first == codes.DeadlineExceeded || first == codes.Canceled, "%s: the first caller hears %v", name, first)
	var id string
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(50 * time.Millisecond) {
		var reply *cri.RunPodSandboxResponse
		if reply, err = r.RunPodSandbox(within(30*time.Second), req); err == nil {
			id = reply.PodSandboxId
			break
		}
	}
	isCode(err, codes.OK, name+": asked again")
	ok(pods(r, name) == 1, "%s: there is one such pod", name)
	isCode(remove(r, id), codes.OK, name+": removed")
	ok(pods(r, name) == 0, "%s: none is left", name)
}

func testPods(socket string) {
	c := dial(socket, "localhost")
	defer c.Close()
	r := cri.NewRuntimeServiceClient(c)
	for _, d := range []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond} {
		leaveAndRetry(r, d, false)
		leaveAndRetry(r, d, true)
	}

	reply, err := r.RunPodSandbox(within(60*time.Second), &cri.RunPodSandboxRequest{Config: podConfig("ids", cri.NamespaceMode_NODE)})
	isCode(err, codes.OK, "RunPodSandbox on the host network")
	if err != nil {
		return
	}
	id := reply.PodSandboxId
	ok(regexp.MustCompile("^[0-9a-f]{64}$").MatchString(id), "an id is 64 hexadecimal digits: %s", id)
	st, err := r.PodSandboxStatus(within(20*time.Second), &cri.PodSandboxStatusRequest{PodSandboxId: id[:13]})
	ok(err == nil && st.Status.Id == id, "the start of an id is enough")
	_, err = r.PodSandboxStatus(within(20*time.Second), &cri.PodSandboxStatusRequest{PodSandboxId: id[:12] + "x"})
	isCode(err, codes.NotFound, "a wrong start is not")
	isCode(remove(r, id), codes.OK, "removed")
}
