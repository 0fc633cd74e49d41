#!/bin/sh
# check.sh: what a reader should never have to say in a review.
set -eu
cd "$(dirname "$0")/.."
# The flags of the builds: with others Go would compile all of Kubernetes a second time.
export GOWORK=off CGO_ENABLED=0 GOFLAGS=-trimpath
modules=". api pki kubernetes"

echo "[1/4] gofmt"
unformatted=$(gofmt -l $(git ls-files '*.go'))
[ -z "$unformatted" ] || { echo "not formatted; run gofmt -w on:" "$unformatted" >&2; exit 1; }

echo "[2/4] go vet"
for m in $modules; do (cd "$m" && go vet ./...); done
(cd store && CGO_ENABLED=1 go vet ./...)

echo "[3/4] staticcheck"
for m in . api pki; do
	(cd "$m" && go run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...)
done

echo "[4/4] generated files"
before=$(git status --porcelain -- api deploy/crds; git diff -- api deploy/crds | cksum)
hack/generate.sh
after=$(git status --porcelain -- api deploy/crds; git diff -- api deploy/crds | cksum)
[ "$before" = "$after" ] || { echo "generated files were not up to date; they are now: review and commit" >&2; git status --short -- api deploy/crds; exit 1; }
echo "check: ok"
