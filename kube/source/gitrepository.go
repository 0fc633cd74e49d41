package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-git/go-git/v5"
	gitconfig "github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	gitssh "github.com/go-git/go-git/v5/plumbing/transport/ssh"
	"github.com/go-git/go-git/v5/storage/memory"

	"portico.dev/portico/kube/source/archive"
)

// gitRepository asks the server where the wanted reference is; the commit is fetched when it is
// new.
func (l lookers) gitRepository(ctx context.Context, repo *sourcev1.GitRepository) (Found, error) {
	if err := refuseGit(repo); err != nil {
		return Found{}, err
	}
	remote, err := l.gitRemote(ctx, repo)
	if err != nil {
		return Found{}, err
	}
	refs, err := remote.refs(ctx)
	if err != nil {
		return Found{}, err
	}
	at, err := resolveGit(refs, repo.Spec.Reference)
	if err != nil {
		return Found{}, failed(sourcev1.GitOperationFailedReason, "resolving spec.ref of "+remote.url, err)
	}
	return Found{
		Revision: at.revision(),
		File:     at.commit + ".tar.gz",
		Input:    gitInput(at, repo),
		Reason:   meta.SucceededReason,
		Message:  fmt.Sprintf("stored artifact for revision '%s'", at.revision()),
		Fetch: func(ctx context.Context, w io.Writer) error {
			dir, err := l.store.TempDir()
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			if err := remote.checkout(ctx, at, repo.Spec.RecurseSubmodules, dir); err != nil {
				return failed(sourcev1.GitOperationFailedReason, "fetching "+at.revision()+" of "+remote.url, err)
			}
			return packGit(w, dir, repo)
		},
	}, nil
}

func refuseGit(repo *sourcev1.GitRepository) error {
	switch {
	case repo.Spec.Verification != nil:
		return unsupported("spec.verify", "checking signatures")
	case len(repo.Spec.Include) > 0:
		return unsupported("spec.include", "including other repositories")
	case repo.GetProvider() != sourcev1.GitProviderGeneric:
		return unsupported("spec.provider", repo.GetProvider())
	}
	return nil
}

// gitInput is the identity of the archive: the commit, and what is left out of it.
func gitInput(at gitCommit, repo *sourcev1.GitRepository) string {
	ignore := "default"
	if repo.Spec.Ignore != nil {
		ignore = "=" + *repo.Spec.Ignore
	}
	return digestOf(fmt.Appendf(nil, "%s %q %t %q", at.revision(), ignore, repo.Spec.RecurseSubmodules, repo.Spec.SparseCheckout))
}

// gitCommit is a commit and the reference that led to it.
type gitCommit struct {
	ref    plumbing.ReferenceName
	label  string
	commit string
}

// revision names the commit as Flux does: main@sha1:…, or sha1:… for a bare commit.
func (c gitCommit) revision() string {
	if c.label == "" {
		return "sha1:" + c.commit
	}
	return c.label + "@sha1:" + c.commit
}

// defaultBranch is Flux's default.
const defaultBranch = "master"

// resolveGit finds the commit of a reference. A commit goes before a name, a name before a range
// of versions, a range before a tag, a tag before a branch.
func resolveGit(refs map[plumbing.ReferenceName]string, want *sourcev1.GitRepositoryRef) (gitCommit, error) {
	if want == nil {
		want = &sourcev1.GitRepositoryRef{}
	}
	switch {
	case want.Commit != "":
		at := gitCommit{label: want.Branch, commit: want.Commit}
		if want.Branch != "" {
			at.ref = plumbing.NewBranchReferenceName(want.Branch)
		}
		return at, nil
	case want.Name != "":
		return gitAt(refs, plumbing.ReferenceName(want.Name), want.Name)
	case want.SemVer != "":
		tag, err := choose(shortNames(refs, plumbing.ReferenceName.IsTag), want.SemVer)
		if err != nil {
			return gitCommit{}, fmt.Errorf("choosing a tag: %w", err)
		}
		return gitAt(refs, plumbing.NewTagReferenceName(tag), tag)
	case want.Tag != "":
		return gitAt(refs, plumbing.NewTagReferenceName(want.Tag), want.Tag)
	case want.Branch != "":
		return gitAt(refs, plumbing.NewBranchReferenceName(want.Branch), want.Branch)
	}
	return gitAt(refs, plumbing.NewBranchReferenceName(defaultBranch), defaultBranch)
}

func gitAt(refs map[plumbing.ReferenceName]string, ref plumbing.ReferenceName, label string) (gitCommit, error) {
	commit, ok := refs[ref]
	if ok {
		return gitCommit{ref: ref, label: label, commit: commit}, nil
	}
	is, kind := plumbing.ReferenceName.IsBranch, "branch"
	if ref.IsTag() {
		is, kind = plumbing.ReferenceName.IsTag, "tag"
	}
	if !ref.IsTag() && !ref.IsBranch() {
		return gitCommit{}, fmt.Errorf("the repository has no reference %q", label)
	}
	return gitCommit{}, fmt.Errorf("the repository has no %s %q; %s", kind, label, offer(newestFirst(shortNames(refs, is))))
}

func shortNames(refs map[plumbing.ReferenceName]string, is func(plumbing.ReferenceName) bool) []string {
	var names []string
	for ref := range refs {
		if is(ref) {
			names = append(names, ref.Short())
		}
	}
	return names
}

// gitRemote is a way to a Git server.
type gitRemote struct {
	url       string
	auth      transport.AuthMethod
	ca        []byte
	cert, key []byte
	proxy     transport.ProxyOptions
}

func (l lookers) gitRemote(ctx context.Context, repo *sourcev1.GitRepository) (*gitRemote, error) {
	endpoint, err := transport.NewEndpoint(repo.Spec.URL)
	if err != nil {
		return nil, invalidURL(repo.Spec.URL, err)
	}
	login, err := l.secrets.read(ctx, repo.Namespace, repo.Spec.SecretRef)
	if err != nil {
		return nil, err
	}
	proxy, err := l.secrets.read(ctx, repo.Namespace, repo.Spec.ProxySecretRef)
	if err != nil {
		return nil, err
	}
	r := &gitRemote{url: repo.Spec.URL, ca: login.first("ca.crt", "caFile"), cert: login["tls.crt"], key: login["tls.key"]}
	if proxy != nil {
		r.proxy = transport.ProxyOptions{URL: string(proxy["address"]), Username: string(proxy["username"]), Password: string(proxy["password"])}
	}
	r.auth, err = l.gitAuth(endpoint, login)
	if err != nil {
		return nil, failed(sourcev1.AuthenticationFailedReason, "reading the Secret that spec.secretRef names", err)
	}
	return r, nil
}

func (l lookers) gitAuth(at *transport.Endpoint, login secret) (transport.AuthMethod, error) {
	if at.Protocol == "ssh" {
		return l.gitSSH(at, login)
	}
	switch {
	case len(login["bearerToken"]) > 0:
		return &githttp.TokenAuth{Token: string(login["bearerToken"])}, nil
	case len(login["username"]) > 0:
		return &githttp.BasicAuth{Username: string(login["username"]), Password: string(login["password"])}, nil
	}
	return nil, nil
}

func (l lookers) gitSSH(at *transport.Endpoint, login secret) (transport.AuthMethod, error) {
	if len(login["identity"]) == 0 || len(login["known_hosts"]) == 0 {
		return nil, errors.New("a repository over SSH needs a Secret with the keys identity and known_hosts")
	}
	user := at.User
	if user == "" {
		user = "git"
	}
	keys, err := gitssh.NewPublicKeys(user, login["identity"], string(login["password"]))
	if err != nil {
		return nil, fmt.Errorf("key identity: %w", err)
	}
	// The library reads known hosts from a file only.
	dir, err := l.store.TempDir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(file, login["known_hosts"], 0o600); err != nil {
		return nil, err
	}
	hosts, err := gitssh.NewKnownHostsDb(file)
	if err != nil {
		return nil, fmt.Errorf("key known_hosts: %w", err)
	}
	port := at.Port
	if port == 0 {
		port = gitssh.DefaultPort
	}
	keys.HostKeyCallback = hosts.HostKeyCallback()
	keys.HostKeyAlgorithms = hosts.HostKeyAlgorithms(fmt.Sprintf("%s:%d", at.Host, port))
	return keys, nil
}

// refs asks the server for its references. An annotated tag stands for its commit.
func (r *gitRemote) refs(ctx context.Context) (map[plumbing.ReferenceName]string, error) {
	remote := git.NewRemote(memory.NewStorage(), &gitconfig.RemoteConfig{Name: git.DefaultRemoteName, URLs: []string{r.url}})
	list, err := remote.ListContext(ctx, &git.ListOptions{
		Auth: r.auth, CABundle: r.ca, ClientCert: r.cert, ClientKey: r.key, ProxyOptions: r.proxy, PeelingOption: git.AppendPeeled,
	})
	switch {
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return nil, failed(sourcev1.AuthenticationFailedReason, "asking "+r.url, errors.New("the server does not let us in; check the Secret that spec.secretRef names"))
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return nil, failed(sourcev1.GitOperationFailedReason, "asking "+r.url, errors.New("there is no such repository, or it is not open to us"))
	case err != nil:
		return nil, failed(sourcev1.GitOperationFailedReason, "asking "+r.url, err)
	}
	refs := map[plumbing.ReferenceName]string{}
	for _, ref := range list {
		name, peeled := strings.CutSuffix(ref.Name().String(), "^{}")
		if _, have := refs[plumbing.ReferenceName(name)]; peeled || !have {
			refs[plumbing.ReferenceName(name)] = ref.Hash().String()
		}
	}
	return refs, nil
}

// checkout writes the commit's files to dir, without Git's own.
func (r *gitRemote) checkout(ctx context.Context, at gitCommit, submodules bool, dir string) error {
	options := &git.CloneOptions{
		URL: r.url, Auth: r.auth, CABundle: r.ca, ClientCert: r.cert, ClientKey: r.key, ProxyOptions: r.proxy,
		ReferenceName: at.ref, SingleBranch: at.ref != "", Depth: 1, Tags: git.NoTags, ShallowSubmodules: true,
	}
	bare := at.ref == "" || at.label != "" && at.ref.IsBranch()
	if submodules {
		options.RecurseSubmodules = git.DefaultSubmoduleRecursionDepth
	}
	// A commit that is not a reference's head is found in the history only.
	history := *options
	history.Depth, history.NoCheckout = 0, true
	if at.ref == "" {
		return r.history(ctx, &history, at, dir)
	}
	repo, err := git.PlainCloneContext(ctx, dir, false, options)
	if err != nil {
		return err
	}
	head, err := repo.Head()
	if err != nil {
		return err
	}
	if head.Hash().String() == at.commit {
		return os.RemoveAll(filepath.Join(dir, git.GitDirName))
	}
	if !bare {
		return fmt.Errorf("%s moved while it was fetched", at.label)
	}
	if err := empty(dir); err != nil {
		return err
	}
	return r.history(ctx, &history, at, dir)
}

func (r *gitRemote) history(ctx context.Context, options *git.CloneOptions, at gitCommit, dir string) error {
	repo, err := git.PlainCloneContext(ctx, dir, false, options)
	if err != nil {
		return err
	}
	tree, err := repo.Worktree()
	if err != nil {
		return err
	}
	if err := tree.Checkout(&git.CheckoutOptions{Hash: plumbing.NewHash(at.commit), Force: true}); err != nil {
		return fmt.Errorf("commit %s: %w", at.commit, err)
	}
	if err := updateSubmodules(ctx, tree, options); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, git.GitDirName))
}

func updateSubmodules(ctx context.Context, tree *git.Worktree, options *git.CloneOptions) error {
	if options.RecurseSubmodules == git.NoRecurseSubmodules {
		return nil
	}
	modules, err := tree.Submodules()
	if err != nil {
		return fmt.Errorf("reading submodules: %w", err)
	}
	update := &git.SubmoduleUpdateOptions{Init: true, RecurseSubmodules: options.RecurseSubmodules, Auth: options.Auth}
	if err := modules.UpdateContext(ctx, update); err != nil {
		return fmt.Errorf("fetching submodules: %w", err)
	}
	return nil
}

func empty(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Mkdir(dir, 0o700)
}

// packGit packs what is not ignored, and where the spec names folders, nothing outside them.
func packGit(w io.Writer, dir string, repo *sourcev1.GitRepository) error {
	ignored, err := newIgnores(dir, repo.Spec.Ignore)
	if err != nil {
		return failed(sourcev1.ReadOperationFailedReason, "packing the artifact", err)
	}
	return archive.PackDir(w, dir, func(name string, isDir bool) bool {
		return inFolders(name, isDir, repo.Spec.SparseCheckout) && filepath.Base(name) != git.GitDirName && ignored.keep(name, isDir)
	})
}

// inFolders: a path is wanted if it lies in one of the folders; a folder also if one of them
// lies in it. No folders means everything.
func inFolders(name string, isDir bool, folders []string) bool {
	for _, f := range folders {
		f = strings.Trim(filepath.ToSlash(filepath.Clean(f)), "/")
		if f == "." || name == f || strings.HasPrefix(name, f+"/") || isDir && strings.HasPrefix(f, name+"/") {
			return true
		}
	}
	return len(folders) == 0
}
