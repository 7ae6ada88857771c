// SPDX-License-Identifier: Apache-2.0

// Compares a descriptor set (protoc --descriptor_set_out) with the published runtime.v1 of
// k8s.io/cri-api: names, numbers, types, labels, oneofs, enums, services, streaming.
//
//	proto FILE      print every difference; exit 1 if there is one
package main

import (
	"fmt"
	"os"
	"sort"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// One line a fact, so that two files can be compared as sets.
func facts(f protoreflect.FileDescriptor) map[string]bool {
	m := map[string]bool{"package " + string(f.Package()): true, "syntax " + f.Syntax().String(): true}
	for i := 0; i < f.Messages().Len(); i++ {
		message(m, f.Messages().Get(i))
	}
	for i := 0; i < f.Enums().Len(); i++ {
		enum(m, f.Enums().Get(i))
	}
	for i := 0; i < f.Services().Len(); i++ {
		s := f.Services().Get(i)
		for k := 0; k < s.Methods().Len(); k++ {
			r := s.Methods().Get(k)
			m[fmt.Sprintf("rpc %s(%s stream=%v) returns (%s stream=%v)", r.FullName(), r.Input().FullName(),
				r.IsStreamingClient(), r.Output().FullName(), r.IsStreamingServer())] = true
		}
	}
	return m
}

func message(m map[string]bool, d protoreflect.MessageDescriptor) {
	m[fmt.Sprintf("message %s map_entry=%v", d.FullName(), d.IsMapEntry())] = true
	for i := 0; i < d.Fields().Len(); i++ {
		f := d.Fields().Get(i)
		kind := f.Kind().String()
		if f.Message() != nil {
			kind += " " + string(f.Message().FullName())
		}
		if f.Enum() != nil {
			kind += " " + string(f.Enum().FullName())
		}
		oneof := ""
		if o := f.ContainingOneof(); o != nil {
			oneof = " oneof " + string(o.Name())
		}
		m[fmt.Sprintf("field %s = %d %s %s packed=%v%s", f.FullName(), f.Number(), f.Cardinality(), kind,
			f.IsPacked(), oneof)] = true
	}
	for i := 0; i < d.Messages().Len(); i++ {
		message(m, d.Messages().Get(i))
	}
	for i := 0; i < d.Enums().Len(); i++ {
		enum(m, d.Enums().Get(i))
	}
}

func enum(m map[string]bool, d protoreflect.EnumDescriptor) {
	for i := 0; i < d.Values().Len(); i++ {
		v := d.Values().Get(i)
		m[fmt.Sprintf("enum %s %s = %d", d.FullName(), v.Name(), v.Number())] = true
	}
}

func load(path string) (protoreflect.FileDescriptor, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(data, &set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, err
	}
	return files.FindFileByPath(set.File[len(set.File)-1].GetName())
}

func missing(what string, from, in map[string]bool) int {
	var lines []string
	for fact := range from {
		if !in[fact] {
			lines = append(lines, what+" "+fact)
		}
	}
	sort.Strings(lines)
	for _, l := range lines {
		fmt.Println(l)
	}
	return len(lines)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: proto DESCRIPTOR_SET")
		os.Exit(2)
	}
	file, err := load(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "proto:", err)
		os.Exit(2)
	}
	ours, theirs := facts(file), facts(runtime.File_staging_src_k8s_io_cri_api_pkg_apis_runtime_v1_api_proto)
	n := missing("only ours:     ", ours, theirs) + missing("only published:", theirs, ours)
	fmt.Printf("%d facts, %d differences\n", len(theirs), n)
	if n > 0 {
		os.Exit(1)
	}
}
