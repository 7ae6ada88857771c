// SPDX-License-Identifier: Apache-2.0

// Raw frames: what no client library would send.
package main

import (
	"bytes"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

type raw struct {
	conn   net.Conn
	framer *http2.Framer
}

func openRaw(socket string) *raw {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		ok(false, "connect: %v", err)
		return nil
	}
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, http2.ClientPreface)
	r := &raw{conn, http2.NewFramer(conn, conn)}
	r.framer.AllowIllegalWrites = true
	r.framer.WriteSettings()
	return r
}

func headers(pairs ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return b.Bytes()
}

func request(contentType string) []byte {
	return headers(":method", "POST", ":scheme", "http", ":path", "/runtime.v1.RuntimeService/Version",
		":authority", "localhost", "content-type", contentType, "te", "trailers")
}

func (r *raw) start(block []byte, id uint32) {
	r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true})
}

// Reads until @id is answered; returns its header fields, "reset" or "closed".
func (r *raw) answer(id uint32) map[string]string {
	got := map[string]string{}
	r.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := r.framer.ReadFrame()
		if err != nil {
			got["closed"] = err.Error()
			return got
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				got[h.Name] = h.Value
			}
			if f.StreamID == id && f.StreamEnded() {
				return got
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				got["reset"] = f.ErrCode.String()
				return got
			}
		case *http2.PingFrame:
			if id == 0 && f.IsAck() {
				got["ping"] = string(f.Data[:])
				return got
			}
		}
	}
}

func testFrames(socket string) {
	cases := []struct {
		what string
		send func(r *raw)
		key  string
		want string
	}{
		{"a raw call", func(r *raw) {
			r.start(request("application/grpc"), 1)
			r.framer.WriteData(1, true, make([]byte, 5))
		}, "grpc-status", "0"},
		{"a message in single bytes", func(r *raw) {
			r.start(request("application/grpc"), 1)
			for i, b := range []byte("\x00\x00\x00\x00\x03\x0a\x01v") {
				r.framer.WriteData(1, i == 7, []byte{b})
			}
		}, "grpc-status", "0"},
		{"client trailers end the request", func(r *raw) {
			r.start(request("application/grpc"), 1)
			r.framer.WriteData(1, false, make([]byte, 5))
			r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers("x", "y"), EndHeaders: true, EndStream: true})
		}, "grpc-status", "0"},
		{"content-type JSON", func(r *raw) { r.start(request("application/json"), 1) }, ":status", "415"},
		{"no message", func(r *raw) {
			r.start(request("application/grpc"), 1)
			r.framer.WriteData(1, true, nil)
		}, "grpc-status", "13"},
		{"flag compressed", func(r *raw) {
			r.start(request("application/grpc"), 1)
			r.framer.WriteData(1, true, []byte{1, 0, 0, 0, 0})
		}, "grpc-accept-encoding", "identity"},
		{"broken protobuf", func(r *raw) {
			r.start(request("application/grpc"), 1)
			r.framer.WriteData(1, true, []byte{0, 0, 0, 0, 1, 0xff})
		}, "grpc-status", "13"},
		{"no :path", func(r *raw) {
			r.start(headers(":method", "POST", ":scheme", "http", "content-type", "application/grpc"), 1)
		}, "reset", "PROTOCOL_ERROR"},
		{"upper case header", func(r *raw) {
			r.start(append(request("application/grpc"), headers("X-Upper", "1")...), 1)
		}, "reset", "PROTOCOL_ERROR"},
	}
	for _, c := range cases {
		if r := openRaw(socket); r != nil {
			c.send(r)
			got := r.answer(1)
			ok(got[c.key] == c.want, "%s: %s %s", c.what, c.key, c.want)
			if got[c.key] != c.want {
				println("# got", c.key, got[c.key], "closed", got["closed"], "reset", got["reset"])
			}
			r.conn.Close()
		}
	}
	if r := openRaw(socket); r != nil {
		r.framer.WritePing(false, [8]byte([]byte("bulkhead")))
		ok(r.answer(0)["ping"] == "bulkhead", "PING is answered with its payload")
		r.framer.WriteRawFrame(http2.FrameData, 0, 0, []byte{1})
		_, closed := r.answer(99)["closed"]
		ok(closed, "DATA on stream 0 ends the connection")
		r.conn.Close()
	}
}
