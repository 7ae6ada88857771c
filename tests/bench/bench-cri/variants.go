// SPDX-License-Identifier: Apache-2.0

// Images like a given one, of which no layer is equal.
//
// A file system remembers files that were deleted a moment ago, and makes new ones slowly where
// they were: pulling one image again and again measures that.  So each pull takes an image of its
// own.  Their layers differ in what follows the archive's end: a gzip member of zeros.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
)

const manifestTypes = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"

type descriptor struct {
	MediaType string            `json:"mediaType"`
	Digest    string            `json:"digest"`
	Size      int               `json:"size"`
	Platform  map[string]string `json:"platform,omitempty"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

// repo is a repository of a registry that speaks plain HTTP.
type repo struct{ base, name string }

func (r repo) do(method, path, media string, body io.Reader, length int) (*http.Response, []byte) {
	if !strings.HasPrefix(path, "http") {
		path = r.base + "/v2/" + r.name + path
	}
	q, err := http.NewRequest(method, path, body)
	if err != nil {
		die("%s: %v", path, err)
	}
	q.ContentLength = int64(length)
	q.Header.Set("Accept", manifestTypes)
	if media != "" {
		q.Header.Set("Content-Type", media)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		die("%s: %v", path, err)
	}
	defer a.Body.Close()
	data, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode > 299 {
		die("%s %s: %s %v", method, path, a.Status, err)
	}
	return a, data
}

func (r repo) get(path string) []byte {
	_, data := r.do("GET", path, "", nil, 0)
	return data
}

func (r repo) putBlob(digest string, parts ...[]byte) {
	var all []io.Reader
	size := 0
	for _, p := range parts {
		all = append(all, bytes.NewReader(p))
		size += len(p)
	}
	a, _ := r.do("POST", "/blobs/uploads/", "", nil, 0)
	to := a.Header.Get("Location")
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	r.do("PUT", to+sep+"digest="+digest, "application/octet-stream", io.MultiReader(all...), size)
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// with is the digest of what @h has seen and then @tail; @h stays as it is.
func with(h hash.Hash, tail []byte) string {
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		die("sha256: %v", err)
	}
	next := sha256.New()
	if err := next.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		die("sha256: %v", err)
	}
	next.Write(tail)
	return digestOf(next)
}

func (r repo) image(tag string) manifest {
	var m manifest
	if err := json.Unmarshal(r.get("/manifests/"+tag), &m); err != nil {
		die("%s:%s: %v", r.name, tag, err)
	}
	for _, d := range m.Manifests {
		if d.Platform["architecture"] == "amd64" {
			return r.image(d.Digest)
		}
	}
	return m
}

// variants pushes @count images that differ from @ref in every layer.  Return: their references.
func variants(ref string, count int) []string {
	host, rest, _ := strings.Cut(ref, "/")
	name, tag, _ := strings.Cut(rest, ":")
	r := repo{"http://" + host, name}
	m := r.image(tag)
	images := make([]manifest, count)
	diffs := make([][]string, count)
	for i := range images {
		images[i] = m
		images[i].Layers = nil
	}
	for _, l := range m.Layers {
		blob := r.get("/blobs/" + l.Digest)
		packed, plain := sha256.New(), sha256.New()
		packed.Write(blob)
		z, err := gzip.NewReader(bytes.NewReader(blob))
		if err == nil {
			_, err = io.Copy(plain, z)
		}
		if err != nil {
			die("%s: %v", l.Digest, err)
		}
		for i := range images {
			zeros := make([]byte, 512*(i+1))
			var tail bytes.Buffer
			w := gzip.NewWriter(&tail)
			w.Write(zeros)
			w.Close()
			v := l
			v.Digest, v.Size = with(packed, tail.Bytes()), len(blob)+tail.Len()
			r.putBlob(v.Digest, blob, tail.Bytes())
			images[i].Layers = append(images[i].Layers, v)
			diffs[i] = append(diffs[i], with(plain, zeros))
		}
	}
	var refs []string
	for i := range images {
		refs = append(refs, r.putImage(fmt.Sprintf("v%d", i+1), images[i], diffs[i], m.Config.Digest))
	}
	return refs
}

func (r repo) putImage(tag string, m manifest, diffs []string, config string) string {
	var c map[string]any
	if err := json.Unmarshal(r.get("/blobs/"+config), &c); err != nil {
		die("%s: %v", config, err)
	}
	c["rootfs"] = map[string]any{"type": "layers", "diff_ids": diffs}
	text, _ := json.Marshal(c)
	sum := sha256.Sum256(text)
	m.Config.Digest, m.Config.Size = "sha256:"+hex.EncodeToString(sum[:]), len(text)
	r.putBlob(m.Config.Digest, text)
	text, _ = json.Marshal(m)
	r.do("PUT", "/manifests/"+tag, m.MediaType, bytes.NewReader(text), len(text))
	return strings.TrimPrefix(r.base, "http://") + "/" + r.name + ":" + tag
}
