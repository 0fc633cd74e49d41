package source_test

import (
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// gitServer serves repositories with Git's own program, over HTTP.
type gitServer struct {
	*httptest.Server
	t    *testing.T
	root string
	// user is needed if it is set.
	user string
}

func newGitServer(t *testing.T) *gitServer {
	t.Helper()
	program, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatalf("these tests need git: %v", err)
	}
	g := &gitServer{t: t, root: t.TempDir()}
	backend := &cgi.Handler{
		Stderr: io.Discard,
		Path:   filepath.Join(strings.TrimSpace(string(program)), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + g.root, "GIT_HTTP_EXPORT_ALL=1"},
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, _, _ := r.BasicAuth(); g.user != "" && got != g.user {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// git runs git in a repository of the server and returns what it says.
func (g *gitServer) git(repo string, args ...string) string {
	g.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", filepath.Join(g.root, repo)}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files, commits them, and returns the commit.
func (g *gitServer) commit(repo string, files map[string]string) string {
	g.t.Helper()
	dir := filepath.Join(g.root, repo)
	if _, err := os.Stat(dir); err != nil {
		if err := os.Mkdir(dir, 0o755); err != nil {
			g.t.Fatal(err)
		}
		g.git(repo, "init", "-q", "-b", "main")
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			g.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
	g.git(repo, "add", "-A")
	g.git(repo, "commit", "-q", "-m", "change")
	return g.git(repo, "rev-parse", "HEAD")
}

func gitRepository(e *engine, g *gitServer, name string, ref sourcev1.GitRepositoryRef) *sourcev1.GitRepository {
	return &sourcev1.GitRepository{ObjectMeta: e.meta(name), Spec: sourcev1.GitRepositorySpec{
		URL: g.URL + "/app/.git", Interval: every(time.Hour), Reference: &ref,
	}}
}

func TestGitRepository(t *testing.T) {
	e, g := start(t), newGitServer(t)
	first := g.commit("app", map[string]string{"a.yaml": "1", "logo.png": "x", "sub/b.yaml": "1", ".github/ci.yaml": "x"})
	g.git("app", "tag", "v1.0.0")
	second := g.commit("app", map[string]string{"a.yaml": "2", ".sourceignore": "sub/\n"})
	g.git("app", "tag", "-a", "v1.1.0", "-m", "annotated")
	g.git("app", "branch", "other", first)
	keepAll := ""
	tests := []struct {
		name, why string
		ref       sourcev1.GitRepositoryRef
		ignore    *string
		revision  string
		files     string
	}{
		{"branch", "A branch; what .sourceignore names is left out.", sourcev1.GitRepositoryRef{Branch: "main"}, nil, "main@sha1:" + second, ".sourceignore a.yaml"},
		{"tag", "A tag; pictures and the files of CI are left out by default.", sourcev1.GitRepositoryRef{Tag: "v1.0.0"}, nil, "v1.0.0@sha1:" + first, "a.yaml sub/b.yaml"},
		{"annotated", "An annotated tag stands for its commit.", sourcev1.GitRepositoryRef{Tag: "v1.1.0"}, nil, "v1.1.0@sha1:" + second, ".sourceignore a.yaml"},
		{"semver", "The newest tag of a range.", sourcev1.GitRepositoryRef{SemVer: "~1.0"}, nil, "v1.0.0@sha1:" + first, "a.yaml sub/b.yaml"},
		{"commit", "A commit that is no head is found in the history.", sourcev1.GitRepositoryRef{Branch: "main", Commit: first}, nil, "main@sha1:" + first, "a.yaml sub/b.yaml"},
		{"bare", "A commit alone.", sourcev1.GitRepositoryRef{Commit: first}, nil, "sha1:" + first, "a.yaml sub/b.yaml"},
		{"name", "A reference by its full name.", sourcev1.GitRepositoryRef{Name: "refs/heads/other"}, nil, "refs/heads/other@sha1:" + first, "a.yaml sub/b.yaml"},
		{"ignore", "Own rules replace the default ones.", sourcev1.GitRepositoryRef{Tag: "v1.0.0"}, &keepAll, "v1.0.0@sha1:" + first, ".github/ci.yaml a.yaml logo.png sub/b.yaml"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			repo := gitRepository(e, g, tc.name, tc.ref)
			repo.Spec.Ignore = tc.ignore
			e.create(repo)
			data := awaitReady(e, repo, &sourcev1.GitRepositoryList{})
			if got := repo.Status.Artifact.Revision; got != tc.revision {
				t.Errorf("%s\nrevision %s, want %s", tc.why, got, tc.revision)
			}
			if got := strings.Join(names(t, data), " "); got != tc.files {
				t.Errorf("%s\nfiles %s, want %s", tc.why, got, tc.files)
			}
		})
	}
}

func TestGitFollowsBranch(t *testing.T) {
	e, g := start(t), newGitServer(t)
	g.commit("app", map[string]string{"a.yaml": "1"})
	repo := gitRepository(e, g, "app", sourcev1.GitRepositoryRef{Branch: "main"})
	e.create(repo)
	awaitReady(e, repo, &sourcev1.GitRepositoryList{})
	commit := g.commit("app", map[string]string{"a.yaml": "2"})
	change(e, repo, func(r *sourcev1.GitRepository) {
		r.Annotations = map[string]string{meta.ReconcileRequestAnnotation: "1"}
	})
	await(e, repo, &sourcev1.GitRepositoryList{}, func(r *sourcev1.GitRepository) bool {
		return ready(r) && r.Status.Artifact.Revision == "main@sha1:"+commit
	})
	if got := content(t, awaitReady(e, repo, &sourcev1.GitRepositoryList{}), "a.yaml"); got != "2" {
		t.Errorf("a.yaml is %q", got)
	}
}

func TestGitSubmodules(t *testing.T) {
	e, g := start(t), newGitServer(t)
	g.commit("lib", map[string]string{"lib.yaml": "lib"})
	g.commit("app", map[string]string{"a.yaml": "1"})
	g.git("app", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", g.URL+"/lib/.git", "lib")
	g.commit("app", nil)
	repo := gitRepository(e, g, "app", sourcev1.GitRepositoryRef{Branch: "main"})
	repo.Spec.RecurseSubmodules = true
	e.create(repo)
	data := awaitReady(e, repo, &sourcev1.GitRepositoryList{})
	if got := strings.Join(names(t, data), " "); got != "a.yaml lib/lib.yaml" {
		t.Errorf("files %s, want those of the submodule too, and none of Git's own", got)
	}
}

func TestGitFailures(t *testing.T) {
	e, g := start(t), newGitServer(t)
	g.commit("app", map[string]string{"a.yaml": "1"})
	g.git("app", "tag", "v1.0.0")
	guarded := newGitServer(t)
	guarded.user = "me"
	guarded.commit("app", map[string]string{"a.yaml": "1"})
	tests := []struct {
		name, reason, words string
		repo                *sourcev1.GitRepository
	}{
		{"branch", "GitOperationFailed", `the repository has no branch "trunk"; there is main`, gitRepository(e, g, "branch", sourcev1.GitRepositoryRef{Branch: "trunk"})},
		{"default", "GitOperationFailed", `the repository has no branch "master"; there is main`, gitRepository(e, g, "default", sourcev1.GitRepositoryRef{})},
		{"tag", "GitOperationFailed", `the repository has no tag "v2"; there is v1.0.0`, gitRepository(e, g, "tag", sourcev1.GitRepositoryRef{Tag: "v2"})},
		{"semver", "GitOperationFailed", `no version matches ">=2"; there is v1.0.0`, gitRepository(e, g, "semver", sourcev1.GitRepositoryRef{SemVer: ">=2"})},
		{"commit", "GitOperationFailed", strings.Repeat("a", 40), gitRepository(e, g, "commit", sourcev1.GitRepositoryRef{Branch: "main", Commit: strings.Repeat("a", 40)})},
		{"login", "AuthenticationFailed", "check the Secret", gitRepository(e, guarded, "login", sourcev1.GitRepositoryRef{Branch: "main"})},
		{"verify", "InvalidProviderConfiguration", "Portico steps aside", gitRepository(e, g, "verify", sourcev1.GitRepositoryRef{Branch: "main"})},
	}
	tests[6].repo.Spec.Verification = &sourcev1.GitRepositoryVerification{Mode: sourcev1.ModeGitHEAD, SecretRef: meta.LocalObjectReference{Name: "keys"}}
	missing := gitRepository(e, g, "missing", sourcev1.GitRepositoryRef{Branch: "main"})
	missing.Spec.URL = g.URL + "/none"
	e.create(missing)
	await(e, missing, &sourcev1.GitRepositoryList{}, func(r *sourcev1.GitRepository) bool {
		return broken(r, "GitOperationFailed", "there is no such repository")
	})
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			e.create(tc.repo)
			await(e, tc.repo, &sourcev1.GitRepositoryList{}, func(r *sourcev1.GitRepository) bool { return broken(r, tc.reason, tc.words) })
		})
	}
	login := tests[5].repo
	e.create(secret(e, "login", map[string]string{"username": "me", "password": "x"}))
	change(e, login, func(r *sourcev1.GitRepository) { r.Spec.SecretRef = &meta.LocalObjectReference{Name: "login"} })
	awaitReady(e, login, &sourcev1.GitRepositoryList{})
}

// A chart out of a Git repository: packed with its dependencies, with other values, and with a
// version that tells the commit if that is wanted.
func TestChartOfGit(t *testing.T) {
	e, g, deps := start(t), newGitServer(t), newRepository(t)
	deps.add("lib", "2.3.0")
	server := httptest.NewServer(deps)
	defer server.Close()
	commit := g.commit("app", map[string]string{
		"charts/web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: lib, version: 2.x, repository: " + server.URL + "/charts}\n" +
			"- {name: near, version: 0.1.0, repository: file://../near}\n",
		"charts/web/values.yaml":       "size: 1\n",
		"charts/web/.helmignore":       "notes.txt\n",
		"charts/web/notes.txt":         "x",
		"charts/web/templates/cm.yaml": "# nothing\n",
		"charts/near/Chart.yaml":       "apiVersion: v2\nname: near\nversion: 0.1.0\n",
		"env/big.yaml":                 "size: 9\n",
	})
	web := helmChart(e, "web", "")
	web.Spec.Chart = "./charts/web"
	web.Spec.SourceRef = sourcev1.LocalHelmChartSourceReference{Kind: sourcev1.GitRepositoryKind, Name: "app"}
	revised := web.DeepCopy()
	revised.Name, revised.Spec.ReconcileStrategy, revised.Spec.ValuesFiles = "revised", sourcev1.ReconcileStrategyRevision, []string{"env/big.yaml"}
	wrong := web.DeepCopy()
	wrong.Name, wrong.Spec.Chart = "wrong", "charts/wep"
	repo := gitRepository(e, g, "app", sourcev1.GitRepositoryRef{Branch: "main"})
	e.create(web, revised, wrong, repo)
	data := awaitReady(e, web, &sourcev1.HelmChartList{})
	want := "web/Chart.yaml web/charts/lib/Chart.yaml web/charts/lib/templates/cm.yaml web/charts/lib/values-big.yaml web/charts/lib/values.yaml web/charts/near/Chart.yaml web/templates/cm.yaml web/values.yaml"
	if got := strings.Join(withoutHidden(names(t, data)), " "); got != want {
		t.Errorf("files %s\nwant  %s", got, want)
	}
	if got := web.Status.Artifact.Revision; got != "1.0.0" {
		t.Errorf("revision %s, want that of Chart.yaml", got)
	}
	data = awaitReady(e, revised, &sourcev1.HelmChartList{})
	if got := content(t, data, "web/values.yaml"); got != "size: 9\n" {
		t.Errorf("values.yaml is %q", got)
	}
	if got, want := revised.Status.Artifact.Revision, "1.0.0+"+commit[:12]; got != want {
		t.Errorf("revision %s, want %s", got, want)
	}
	await(e, wrong, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return broken(c, "InvalidChartReference", "charts are in: charts/near, charts/web")
	})
	followsStrategy(e, g, repo, web, revised)
}

// followsStrategy commits something that is not a new version: only the chart that follows the
// source's revision gets a new artifact.
func followsStrategy(e *engine, g *gitServer, repo *sourcev1.GitRepository, web, revised *sourcev1.HelmChart) {
	e.t.Helper()
	before := web.Status.Artifact.DeepCopy()
	next := g.commit("app", map[string]string{"charts/web/templates/cm.yaml": "# more\n"})
	change(e, repo, func(r *sourcev1.GitRepository) {
		r.Annotations = map[string]string{meta.ReconcileRequestAnnotation: "1"}
	})
	await(e, revised, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return ready(c) && c.Status.Artifact.Revision == "1.0.0+"+next[:12]
	})
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return ready(c) && strings.HasSuffix(c.Status.ObservedSourceArtifactRevision, next)
	})
	if web.Status.Artifact.Digest != before.Digest {
		e.t.Error("without a new version in Chart.yaml there is a new artifact")
	}
}

func withoutHidden(names []string) []string {
	var out []string
	for _, n := range names {
		if !strings.HasPrefix(filepath.Base(n), ".") {
			out = append(out, n)
		}
	}
	return out
}
