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
