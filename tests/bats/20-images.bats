#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images: pulled, shown, removed.

load helper

NODE_SETS="demo test"

digest_of() { cri inspecti "$1" | jq -r '.status.repoDigests[0]'; }
images() { cri images -o json | jq -r '.images[].repoTags[]' | sort; }

@test "a pull by tag is listed with tag, digest and size" {
	cri pull "$(image busybox:1)"
	cri inspecti "$(image busybox:1)" >"$NODE_DIR/i.json"
	[ "$(jq -r '.status.repoTags[0]' "$NODE_DIR/i.json")" = "$(image busybox:1)" ]
	[[ $(jq -r '.status.repoDigests[0]' "$NODE_DIR/i.json") == "$NODE_REGISTRY/demo/busybox@sha256:"* ]]
	[ "$(jq -r '.status.size' "$NODE_DIR/i.json")" -gt 1000000 ]
	[[ $(images) == *"$(image busybox:1)"* ]]
}

@test "an image answers to tag, digest and id alike" {
	cri pull "$(image busybox:1)"
	by_tag=$(cri inspecti "$(image busybox:1)" | jq -S .status)
	id=$(jq -r .id <<<"$by_tag")
	[ "$by_tag" = "$(cri inspecti "$id" | jq -S .status)" ]
	[ "$by_tag" = "$(cri inspecti "$(jq -r '.repoDigests[0]' <<<"$by_tag")" | jq -S .status)" ]
}

@test "a pull by digest leaves no tag" {
	cri pull "$(image redis:1)"
	digest=$(digest_of "$(image redis:1)")
	cri rmi "$(image redis:1)"
	cri pull "$digest"
	[ "$(cri inspecti "$digest" | jq -c '.status.repoTags // []')" = "[]" ]
	cri rmi "$digest"
}

@test "a second pull of what is there is quick and changes nothing" {
	cri pull "$(image busybox:1)"
	before=$(cri images -o json | jq -S .)
	cri pull "$(image busybox:1)"
	[ "$before" = "$(cri images -o json | jq -S .)" ]
}

@test "a Docker manifest without an index is an image too" {
	cri pull "$NODE_REGISTRY/test/busybox-single:1"
	cri inspecti "$NODE_REGISTRY/test/busybox-single:1"
	cri rmi "$NODE_REGISTRY/test/busybox-single:1"
}

@test "any registry's name comes from the mirror and keeps its name" {
	cri pull registry.example/k8s-staging-cri-tools/test-image-1:latest
	[[ $(images) == *"registry.example/k8s-staging-cri-tools/test-image-1:latest"* ]]
	cri rmi registry.example/k8s-staging-cri-tools/test-image-1:latest
}

@test "removing by one name takes the image with all its names" {
	for i in 1 2 3; do cri pull "$NODE_REGISTRY/k8s-staging-cri-tools/test-image-tags:$i"; done
	[ "$(images | grep -c test-image-tags)" = 3 ]
	cri rmi "$NODE_REGISTRY/k8s-staging-cri-tools/test-image-tags:2"
	[ "$(images | grep -c test-image-tags)" = 0 ]
}

@test "an image that no registry has is an error that names it" {
	run cri pull "$NODE_REGISTRY/demo/absent:7"
	[ "$status" != 0 ]
	[[ $output == *"$NODE_REGISTRY/demo/absent:7"* ]]
	run cri inspecti "$NODE_REGISTRY/demo/absent:7"
	[ "$status" != 0 ]
}

@test "an invalid reference is refused at once" {
	run cri pull 'Not A Reference'
	[ "$status" != 0 ]
	run cri pull "$NODE_REGISTRY/demo/busybox@sha256:12"
	[ "$status" != 0 ]
}

@test "a blob with other bytes than its digest is refused and leaves nothing" {
	repo=k8s-staging-cri-tools/test-image-3
	layer=$(curl -fsS -H 'Accept: application/vnd.oci.image.index.v1+json' "http://$NODE_REGISTRY/v2/$repo/manifests/latest" |
		jq -r '.manifests[0].digest' |
		xargs -I{} curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$NODE_REGISTRY/v2/$repo/manifests/{}" |
		jq -r '.layers[-1].digest')
	data=$NODE_DIR/registry/registry/docker/registry/v2/blobs/sha256/${layer:7:2}/${layer:7}/data
	cp "$data" "$NODE_DIR/good"
	printf 'X' | dd of="$data" bs=1 seek=30 conv=notrunc status=none
	run cri pull "$NODE_REGISTRY/$repo:latest"
	cp "$NODE_DIR/good" "$data"
	[ "$status" != 0 ]
	[[ $(images) != *test-image-3* ]]
	cri pull "$NODE_REGISTRY/$repo:latest"
	cri rmi "$NODE_REGISTRY/$repo:latest"
}

bulkhead() { "$BIN/bulkhead" --listen "$NODE_SOCKET" "$@"; }
registry() { curl -fsS -H "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json" "http://$NODE_REGISTRY/v2/$1"; }

# put DIR TEXT - as a blob of the layout; prints its digest.
put() {
	local digest
	digest=$(printf %s "$2" | sha256sum | cut -d' ' -f1)
	printf %s "$2" >"$1/blobs/sha256/$digest"
	echo "sha256:$digest"
}

# layout DIR REPO TAG NAME - REPO:TAG of the registry as an OCI layout that calls it NAME.
layout() {
	local manifest digest blob
	mkdir -p "$1/blobs/sha256"
	echo '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
	manifest=$(registry "$2/manifests/$(registry "$2/manifests/$3" | jq -r '.manifests[0].digest')")
	digest=$(put "$1" "$manifest")
	for blob in $(jq -r '.config.digest, .layers[].digest' <<<"$manifest"); do
		registry "$2/blobs/$blob" >"$1/blobs/sha256/${blob#sha256:}"
	done
	jq -n --arg d "$digest" --arg n "$4" --argjson s "${#manifest}" '{schemaVersion: 2, manifests: [{
		mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $d, size: $s,
		annotations: {"org.opencontainers.image.ref.name": $n}}]}' >"$1/index.json"
}

@test "an OCI layout is imported: directory, archive, standard input; a pod runs from it" {
	d=$NODE_DIR/layout
	layout "$d" demo/busybox 1 example.org/brought/busybox:7
	id=$(bulkhead import "$d")
	[[ $(images) == *example.org/brought/busybox:7* ]]
	[ "$(cri inspecti example.org/brought/busybox:7 | jq -r .status.id)" = "$id" ]
	bulkhead rmi example.org/brought/busybox:7
	[[ $(images) != *example.org/brought* ]]
	tar -C "$d" -cf "$NODE_DIR/layout.tar" .
	[ "$(bulkhead import "$NODE_DIR/layout.tar")" = "$id" ]
	bulkhead rmi "$id"
	[ "$(bulkhead import - <"$NODE_DIR/layout.tar")" = "$id" ]
	bulkhead tag "$id" "$(image brought:1)"
	pod=$(pod brought)
	c=$(start "$pod" brought c brought:1 "$SLEEP")
	[ "$(cri exec -s "$c" echo works)" = works ]
	bulkhead rmi "$id"
}

@test "what docker saves is imported, and what is wrong with an archive is said" {
	d=$NODE_DIR/layout2 s=$NODE_DIR/saved
	layout "$d" demo/redis 1 unused:1
	mkdir -p "$s"
	m=$(jq -r '.manifests[0].digest' "$d/index.json")
	cp "$d/blobs/sha256/$(jq -r .config.digest "$d/blobs/sha256/${m#sha256:}" | cut -d: -f2)" "$s/c.json"
	n=0
	for l in $(jq -r '.layers[].digest' "$d/blobs/sha256/${m#sha256:}"); do
		mkdir "$s/$n" && zcat "$d/blobs/sha256/${l#sha256:}" >"$s/$n/layer.tar"
		n=$((n + 1))
	done
	jq -n --argjson n "$n" '[{Config: "c.json", RepoTags: ["saved/redis:1", "saved/redis:2"],
		Layers: [range($n) | "\(.)/layer.tar"]}]' >"$s/manifest.json"
	tar -C "$s" -cf "$NODE_DIR/saved.tar" manifest.json c.json $(seq 0 $((n - 1)))
	id=$(bulkhead import "$NODE_DIR/saved.tar")
	[[ $(images) == *docker.io/saved/redis:1*docker.io/saved/redis:2* ]]
	[ "$id" = "sha256:$(sha256sum "$s/c.json" | cut -d' ' -f1)" ]
	bulkhead rmi "$id"
	printf X | dd of="$s/0/layer.tar" bs=1 seek=2000 conv=notrunc status=none
	tar -C "$s" -cf "$NODE_DIR/saved.tar" manifest.json c.json $(seq 0 $((n - 1)))
	run bulkhead import "$NODE_DIR/saved.tar"
	[ "$status" = 1 ]
	[[ $output == *diff_id* ]]
	[[ $(images) != *saved/redis* ]]
	gzip -1 "$NODE_DIR/saved.tar"
	run bulkhead import "$NODE_DIR/saved.tar.gz"
	[[ $status == 1 && $output == *compressed* ]]
	run bulkhead import "$NODE_DIR/config.json"
	[[ $status == 1 && $output == *"not a tar archive"* ]]
	run bulkhead rmi nonesuch:1
	[[ $status == 1 && $output == *"no image 'nonesuch:1'"* ]]
}

# shown FILE COMMAND... - runs it on a terminal of its own, what that shows into FILE.
shown() { script -qefc "${*:2}" /dev/null </dev/null >"$1" 2>&1; }
says() { grep -qa "$2" "$1"; }

@test "a pull shows on a terminal how far each layer is" {
	coproc FAKE { python3 "$BATS_TEST_DIRNAME/../fakes/registry.py" serve; }
	read -r port <&"${FAKE[0]}"
	shown "$NODE_DIR/typescript" "$BIN/bulkhead" --listen "$NODE_SOCKET" pull "127.0.0.1:$port/slow" 3>&- &
	eventually says "$NODE_DIR/typescript" '[0-9a-f]\{12\} \[ *\] [0-9.]* [KM]*i*B of [0-9.]* KiB'
	pkill -P $!
	wait $! || true
	eval "exec ${FAKE[1]}>&-"
	id=$(bulkhead pull "$(image busybox:1)" 2>/dev/null)
	[ "$id" = "$(cri inspecti "$(image busybox:1)" | jq -r .status.id)" ]
}

@test "an image that the verifier refuses is not pulled; pinned ones are told to the kubelet" {
	cat >"$NODE_DIR/verifier" <<-'EOF'
		#!/bin/sh
		echo "$@" >>"$0.log"
		case $2 in */redis:1) echo "nobody signed this" && exit 1 ;; esac
	EOF
	chmod +x "$NODE_DIR/verifier"
	cri rmi "$(image redis:1)" >/dev/null 2>&1 || true
	cp "$NODE_DIR/config.json" "$NODE_DIR/config.kept"
	configure '.registry.verifier = $p | .pinned_images = ["nonesuch", "*/busybox:*"]' --arg p "$NODE_DIR/verifier"
	node_stop
	node_start
	cri pull "$(image busybox:1)"
	cri pull "$(image nginx:1)"
	pinned=$(cri images -o json | jq -c '[.images[] | select(.pinned) | .repoTags[]]')
	run cri pull "$(image redis:1)"
	mv "$NODE_DIR/config.kept" "$NODE_DIR/config.json"
	node_stop
	node_start
	[ "$status" != 0 ]
	[[ $output == *"desc = SignatureValidationFailed: $(image redis:1): "*"nobody signed this"* ]]
	[[ $(images) != *"$(image redis:1)"* ]]
	[[ $pinned == *demo/busybox:1* && $pinned != *nginx* ]]
	grep -q -e "-name $(image busybox:1) -digest sha256:" "$NODE_DIR/verifier.log"
	cri pull "$(image redis:1)"
}

@test "a tag moves to the image that gets it" {
	pull busybox:1
	pull redis:1
	bulkhead tag "$(image busybox:1)" moving:1
	[ "$(cri inspecti moving:1 | jq -r .status.id)" = "$(cri inspecti "$(image busybox:1)" | jq -r .status.id)" ]
	bulkhead tag "$(image redis:1)" moving:1
	[ "$(cri inspecti moving:1 | jq -r .status.id)" = "$(cri inspecti "$(image redis:1)" | jq -r .status.id)" ]
	run bulkhead tag nonesuch:1 moving:1
	[[ $status == 1 && $output == *nonesuch* ]]
	bulkhead rmi "$(image redis:1)"
	pull redis:1
}

@test "pulls of the same image at the same time all succeed" {
	cri rmi "$(image python:3)" >/dev/null 2>&1 || true
	for i in 1 2 3 4; do cri pull "$(image python:3)" >"$NODE_DIR/pull.$i" 2>&1 & pids[i]=$!; done
	for i in 1 2 3 4; do wait "${pids[i]}"; done
	cri inspecti "$(image python:3)"
}

@test "images outlive the server" {
	cri pull "$(image busybox:1)"
	before=$(cri images -o json | jq -S .)
	node_kill
	node_start
	[ "$before" = "$(cri images -o json | jq -S .)" ]
	id=$(pod after)
	c=$(start "$id" after c busybox:1 "$SLEEP")
	[ "$(cri exec -s "$c" echo works)" = works ]
}

@test "a server killed in the middle of a pull leaves no half image, and the pull works after" {
	cri rmi "$(image redis:1)" >/dev/null 2>&1 || true
	cri pull "$(image redis:1)" >/dev/null 2>&1 3>&- &
	sleep 0.05
	node_kill
	wait $! || true
	node_start
	run cri inspecti "$(image redis:1)"
	if [ "$status" = 0 ]; then cri rmi "$(image redis:1)"; fi
	cri pull "$(image redis:1)"
	id=$(pod redis)
	c=$(start "$id" redis c redis:1 '["/usr/bin/redis-server", "--version"]')
	eventually exited "$c"
	[ "$(status "$c" exitCode)" = 0 ]
}

@test "an image in use is not taken from under its container" {
	pull busybox:1
	id=$(pod used)
	c=$(start "$id" used c busybox:1 "$SLEEP")
	cri rmi "$(image busybox:1)"
	[ "$(cri exec -s "$c" echo works)" = works ]
}

@test "ImageFsInfo counts what images take" {
	pull nginx:1
	[ "$(cri imagefsinfo -o json | jq -r '.status.imageFilesystems[0].usedBytes.value // .imageFilesystems[0].usedBytes.value')" -gt 10000000 ]
}
