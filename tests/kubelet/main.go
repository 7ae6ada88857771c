// SPDX-License-Identifier: Apache-2.0

// Streams through a kubelet's port with kubectl's client library.
//
//	client exec|attach spdy|websocket [-t] URL     its streams are this program's; ends with the
//	                                               command's code, 255 when the stream failed
//	client forward spdy|websocket URL PORT         prints the local port that stands for the pod's
//	                                               PORT, and forwards until its input ends
//
// A kubelet's URLs: https://HOST:PORT/exec/NAMESPACE/POD/CONTAINER?command=..&output=1,
// /attach/..., /portForward/NAMESPACE/POD.  Its certificate is its own: it is not looked at.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// What a terminal of ours claims to be; stty(1) in the container shows it.
const columns, rows = 101, 31

var config = &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}

func fail(code int, err error) {
	fmt.Fprintln(os.Stderr, "client:", err)
	os.Exit(code)
}

// One size, and then no more.
type sizes struct{ sent bool }

func (s *sizes) Next() *remotecommand.TerminalSize {
	if s.sent {
		return nil
	}
	s.sent = true
	return &remotecommand.TerminalSize{Width: columns, Height: rows}
}

func executor(transport string, u *url.URL) (remotecommand.Executor, error) {
	if transport == "websocket" {
		return remotecommand.NewWebSocketExecutor(config, http.MethodGet, u.String())
	}
	return remotecommand.NewSPDYExecutor(config, http.MethodPost, u)
}

// The streams are those that the URL asks for.
func stream(transport string, tty bool, u *url.URL) error {
	e, err := executor(transport, u)
	if err != nil {
		return err
	}
	options := remotecommand.StreamOptions{Tty: tty}
	query := u.Query()
	if query.Get("input") == "1" {
		options.Stdin = os.Stdin
	}
	if query.Get("output") == "1" {
		options.Stdout = os.Stdout
	}
	if query.Get("error") == "1" {
		options.Stderr = os.Stderr
	}
	if tty {
		options.TerminalSizeQueue = &sizes{}
	}
	return e.StreamWithContext(context.Background(), options)
}

func dialer(transport string, u *url.URL) (httpstream.Dialer, error) {
	if transport == "websocket" {
		return portforward.NewSPDYOverWebsocketDialerForStreaming(u, config)
	}
	tripper, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: tripper}, http.MethodPost, u), nil
}

func forward(transport string, u *url.URL, port string) error {
	d, err := dialer(transport, u)
	if err != nil {
		return err
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	f, err := portforward.NewOnAddressesForStreaming(d, []string{"127.0.0.1"}, []string{":" + port}, stop, ready,
		io.Discard, os.Stderr)
	if err != nil {
		return err
	}
	go func() {
		<-ready
		if ports, err := f.GetPorts(); err == nil {
			fmt.Println(ports[0].Local)
		}
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	return f.ForwardPorts()
}

func main() {
	args := os.Args[1:]
	if len(args) < 3 || (args[1] != "spdy" && args[1] != "websocket") {
		fail(2, fmt.Errorf("see the head of %s", "tests/kubelet/main.go"))
	}
	verb, transport, tty := args[0], args[1], args[2] == "-t"
	args = args[2:]
	if tty {
		args = args[1:]
	}
	u, err := url.Parse(args[0])
	if err != nil || !strings.HasPrefix(u.Scheme, "http") {
		fail(2, fmt.Errorf("no URL: %q", args[0]))
	}
	switch {
	case verb == "forward" && len(args) == 2:
		err = forward(transport, u, args[1])
	case (verb == "exec" || verb == "attach") && len(args) == 1:
		err = stream(transport, tty, u)
	default:
		fail(2, fmt.Errorf("no such command: %s", verb))
	}
	if code, ok := err.(exec.CodeExitError); ok {
		os.Exit(code.Code)
	}
	if err != nil {
		fail(255, err)
	}
}
