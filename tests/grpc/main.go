// SPDX-License-Identifier: Apache-2.0

// Calls a CRI server with the client library that the kubelet uses, and prints TAP.
//
//	grpc [SOCKET]
//
// Without SOCKET it is $ENDPOINT (unix://...), as hack/with-node sets it.
//
// Transport rows TR-1 to TR-10 of the requirements, and error codes that need no pod.  PullImage is asked
// for a registry of our own that takes connections and never answers.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const maxMessage = 16 << 20

// An address that takes connections and never answers, so that a pull waits.
func silentRegistry() (string, func()) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:9", func() {}
	}
	return l.Addr().String(), func() { l.Close() }
}

var count, failed int

func ok(good bool, format string, args ...any) bool {
	count++
	word := "ok"
	if !good {
		word = "not ok"
		failed++
	}
	fmt.Printf("%s %d - %s\n", word, count, fmt.Sprintf(format, args...))
	return good
}

func isCode(err error, want codes.Code, what string) {
	if !ok(status.Code(err) == want, "%s: %v", what, want) {
		fmt.Printf("#  got %v\n", err)
	}
}

func dial(socket, authority string, opts ...grpc.DialOption) *grpc.ClientConn {
	opts = append(opts,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority(authority),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(64<<20)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}))
	c, err := grpc.NewClient("passthrough:///"+socket, opts...)
	if err != nil {
		fmt.Println("Bail out!", err)
		os.Exit(1)
	}
	return c
}

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	_ = cancel // the process ends soon enough
	return ctx
}

func version(c *grpc.ClientConn, opts ...grpc.CallOption) error {
	r, err := cri.NewRuntimeServiceClient(c).Version(within(20*time.Second), &cri.VersionRequest{Version: "0.1.0"}, opts...)
	if err == nil && (r.RuntimeApiVersion != "v1" || r.RuntimeName == "" || r.RuntimeVersion == "") {
		return fmt.Errorf("incomplete: %v", r)
	}
	return err
}

func testBasics(socket string) {
	for _, authority := range []string{"localhost", socket, "%2Frun%2Fx.sock", "a b:c@d", strings.Repeat("x", 300)} {
		c := dial(socket, authority)
		isCode(version(c), codes.OK, fmt.Sprintf("Version with authority %.40q", authority))
		c.Close()
	}
	c := dial(socket, "localhost")
	defer c.Close()
	_, err := cri.NewImageServiceClient(c).ImageFsInfo(within(20*time.Second), &cri.ImageFsInfoRequest{})
	isCode(err, codes.OK, "ImageFsInfo")
	ctx := metadata.AppendToOutgoingContext(within(20*time.Second), "traceparent",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x-bin", "\x00\xff", "x-long", strings.Repeat("y", 8000))
	_, err = cri.NewRuntimeServiceClient(c).Version(ctx, &cri.VersionRequest{})
	isCode(err, codes.OK, "unknown metadata")
	isCode(c.Invoke(within(20*time.Second), "/runtime.v1alpha2.RuntimeService/Version", &cri.VersionRequest{}, &cri.VersionResponse{}),
		codes.Unimplemented, "an unknown service")
	isCode(c.Invoke(within(20*time.Second), "/runtime.v1.RuntimeService/NoSuch", &cri.VersionRequest{}, &cri.VersionResponse{}),
		codes.Unimplemented, "an unknown method")
	isCode(version(c, grpc.UseCompressor(gzip.Name)), codes.Unimplemented, "gzip")
	isCode(version(c), codes.OK, "Version after all that, on the same connection")
}

func testSizes(socket string) {
	c := dial(socket, "localhost")
	defer c.Close()
	r := cri.NewRuntimeServiceClient(c)
	for _, size := range []int{1 << 20, maxMessage - 64} {
		_, err := r.Version(within(60*time.Second), &cri.VersionRequest{Version: strings.Repeat("v", size)})
		ok(status.Code(err) != codes.ResourceExhausted && status.Code(err) != codes.Unavailable, "a request of %d bytes is taken", size)
	}
	_, err := r.Version(within(60*time.Second), &cri.VersionRequest{Version: strings.Repeat("v", 17<<20)})
	isCode(err, codes.ResourceExhausted, "a request of 17 MiB")
	isCode(version(c), codes.OK, "Version after it, on the same connection")
}

func testDeadlines(socket string) {
	c := dial(socket, "localhost")
	defer c.Close()
	isCode(version(c), codes.OK, "connected")
	images := cri.NewImageServiceClient(c)
	address, stop := silentRegistry()
	defer stop()
	pull := &cri.PullImageRequest{Image: &cri.ImageSpec{Image: address + "/none:latest"}}
	_, err := images.PullImage(within(time.Millisecond), pull)
	isCode(err, codes.DeadlineExceeded, "PullImage within 1 ms")
	_, err = images.PullImage(within(300*time.Millisecond), pull)
	isCode(err, codes.DeadlineExceeded, "PullImage within 300 ms")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err = images.PullImage(ctx, pull)
	isCode(err, codes.Canceled, "PullImage cancelled")
	isCode(version(c), codes.OK, "Version after them")
}

// Stream* lists are either there or say 12 at the first Recv.
func testStreams(socket string) {
	c := dial(socket, "localhost")
	defer c.Close()
	s, err := cri.NewRuntimeServiceClient(c).GetContainerEvents(within(2*time.Second), &cri.GetEventsRequest{})
	if err == nil {
		_, err = s.Recv()
	}
	code := status.Code(err)
	ok(code == codes.Unimplemented || code == codes.DeadlineExceeded || code == codes.OK, "GetContainerEvents streams or is Unimplemented (%v)", code)
}

// What the kubelet looks at, as far as no pod is needed.
func testCodes(socket string) {
	c := dial(socket, "localhost")
	defer c.Close()
	r, i := cri.NewRuntimeServiceClient(c), cri.NewImageServiceClient(c)
	ctx := within(60 * time.Second)
	absent := strings.Repeat("0123456789abcdef", 4)

	_, err := r.ContainerStatus(ctx, &cri.ContainerStatusRequest{ContainerId: absent})
	isCode(err, codes.NotFound, "ContainerStatus of an absent container")
	_, err = r.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: absent})
	isCode(err, codes.NotFound, "PodSandboxStatus of an absent sandbox")
	_, err = r.StopContainer(ctx, &cri.StopContainerRequest{ContainerId: absent})
	isCode(err, codes.OK, "StopContainer of an absent container")
	_, err = r.RemoveContainer(ctx, &cri.RemoveContainerRequest{ContainerId: absent})
	isCode(err, codes.OK, "RemoveContainer of an absent container")
	_, err = r.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: absent})
	isCode(err, codes.OK, "StopPodSandbox of an absent sandbox")
	_, err = r.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: absent})
	isCode(err, codes.OK, "RemovePodSandbox of an absent sandbox")
	_, err = r.ExecSync(ctx, &cri.ExecSyncRequest{ContainerId: absent, Cmd: []string{"true"}})
	isCode(err, codes.NotFound, "ExecSync in an absent container")
	_, err = r.Exec(ctx, &cri.ExecRequest{ContainerId: absent, Cmd: []string{"true"}, Stdout: true})
	isCode(err, codes.NotFound, "Exec in an absent container")
	_, err = r.Exec(ctx, &cri.ExecRequest{ContainerId: absent, Cmd: []string{"true"}})
	isCode(err, codes.InvalidArgument, "Exec without any stream")
	_, err = r.Attach(ctx, &cri.AttachRequest{ContainerId: absent, Tty: true, Stdout: true, Stderr: true})
	isCode(err, codes.InvalidArgument, "Attach with tty and stderr")
	_, err = r.PortForward(ctx, &cri.PortForwardRequest{PodSandboxId: absent, Port: []int32{80}})
	isCode(err, codes.NotFound, "PortForward to an absent sandbox")
	_, err = r.PodSandboxStats(ctx, &cri.PodSandboxStatsRequest{})
	ok(status.Code(err) == codes.NotFound || status.Code(err) == codes.InvalidArgument, "PodSandboxStats with an empty id: %v", status.Code(err))
	s, err := i.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: "localhost/absent:1"}})
	ok(err == nil && s.Image == nil, "ImageStatus of an absent image is OK and empty")
	_, err = i.RemoveImage(ctx, &cri.RemoveImageRequest{Image: &cri.ImageSpec{Image: "localhost/absent:1"}})
	isCode(err, codes.OK, "RemoveImage of an absent image")
	_, err = r.CheckpointContainer(ctx, &cri.CheckpointContainerRequest{ContainerId: absent})
	ok(err != nil, "CheckpointContainer of an absent container is an error: %v", status.Code(err))
	st, err := r.Status(ctx, &cri.StatusRequest{Verbose: true})
	ok(err == nil && len(st.Status.Conditions) >= 2, "Status has two conditions")
	_, err = r.RuntimeConfig(ctx, &cri.RuntimeConfigRequest{})
	isCode(err, codes.OK, "RuntimeConfig")
}

func testMany(socket string) {
	c := dial(socket, "localhost", grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, PermitWithoutStream: true}))
	defer c.Close()
	var group sync.WaitGroup
	var lock sync.Mutex
	bad := 0
	for n := 0; n < 100; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < 20; k++ {
				if err := version(c); err != nil {
					lock.Lock()
					bad++
					lock.Unlock()
				}
			}
		}()
	}
	group.Wait()
	ok(bad == 0, "100 parallel callers, 20 calls each (%d failed)", bad)
	start := time.Now()
	for k := 0; k < 2000; k++ {
		version(c)
	}
	fmt.Printf("# Version takes %v a call\n", time.Since(start)/2000)
}

func main() {
	socket := strings.TrimPrefix(os.Getenv("ENDPOINT"), "unix://")
	if len(os.Args) == 2 {
		socket = os.Args[1]
	}
	if socket == "" || len(os.Args) > 2 {
		fmt.Fprintln(os.Stderr, "usage: grpc SOCKET")
		os.Exit(2)
	}
	testBasics(socket)
	testSizes(socket)
	testDeadlines(socket)
	testStreams(socket)
	testCodes(socket)
	testPods(socket)
	testMany(socket)
	testFrames(socket)
	fmt.Printf("1..%d\n", count)
	if failed > 0 {
		os.Exit(1)
	}
}
