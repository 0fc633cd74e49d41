package serviceset

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/download"
	"portico.dev/portico/state/engine"
)

// remoteContents are the copies of what is behind URLs; see download.Downloads, which keeps these
// promises. It is safe for concurrent use.
type remoteContents interface {
	// Want says that a set wants the content of a place from now on, and returns what is known of it.
	// It does not wait for anything.
	Want(set types.NamespacedName, wish download.Wish) download.Copy
	// Keep says that these are all the places that a set wants.
	Keep(set types.NamespacedName, places ...download.Place)
}

// unfetched is what somebody knows who may not fetch: a plan, and an admission.
type unfetched struct{}

func (unfetched) Want(types.NamespacedName, download.Wish) download.Copy { return download.Copy{} }
func (unfetched) Keep(types.NamespacedName, ...download.Place)           {}

// attachRemote takes the manifests from behind a URL.
func (l *look) attachRemote(ctx context.Context, ref kcm.PolicyRef) (Attached, error) {
	out := Attached{Ref: ref}
	if out.Problem = wrongRemote(ref); out.Problem != "" {
		return out, nil
	}
	may, err := l.authority(ctx)
	if err != nil {
		return out, err
	}
	wish := download.Wish{
		Place:    download.Place{URL: ref.RemoteURL.URL, Trusted: may.platform || may.namesURL(ref.RemoteURL)},
		Interval: intervalOf(ref.RemoteURL),
	}
	if ref.RemoteURL.SecretRef != nil {
		if err := l.credentials(ctx, &out, &wish); err != nil || out.Problem != "" || out.NotYet != "" {
			return out, err
		}
	}
	l.places = append(l.places, wish.Place)
	found := l.c.remote.Want(client.ObjectKeyFromObject(l.set), wish)
	out.judge(found, wish.Interval)
	if out.Problem != "" || out.NotYet != "" || out.Missing {
		return out, nil
	}
	out.Source = engine.Source{Path: ref.Path, Files: found.Files, Revision: found.Revision}
	if ref.RemoteURL.Template {
		out.Source.Files = maps.Clone(found.Files) // those are others' too
		if err := l.evaluate(ctx, &out, out.Source.Files); err != nil || out.Problem != "" || out.NotYet != "" {
			return out, err
		}
	}
	out.Source.Digest = engine.DigestOf(out.Source.Files)
	out.Source.Revision = cmp.Or(out.Source.Revision, out.Source.Digest)
	return out, nil
}

// judge says what becomes of a policyRef of whose content this is known.
func (a *Attached) judge(found download.Copy, interval time.Duration) {
	switch {
	case found.Files != nil && found.Problem != "":
		a.Notice = fmt.Sprintf("it could not be refreshed, and stays as it was at %s: %s; it is asked for again every %s", found.At.UTC().Format(time.RFC3339), found.Problem, interval)
	case found.Files != nil:
	case found.Missing && a.Ref.Optional:
		a.Missing = true
	case found.Problem != "":
		a.Problem = fmt.Sprintf("it could not be fetched: %s; it is tried again every %s at least", found.Problem, interval)
	default:
		a.NotYet = "its content is not known until it has been fetched"
	}
}

// wrongRemote says what is wrong with a policyRef that has a URL; empty if nothing is.
func wrongRemote(ref kcm.PolicyRef) string {
	if err := fleet.CheckRemoteURL(ref.RemoteURL.URL); err != nil {
		return "remoteURL.url: " + err.Error()
	}
	if err := fleet.CheckInterval(intervalOf(ref.RemoteURL)); err != nil {
		return "remoteURL.interval: " + err.Error()
	}
	if ref.Path != "" && !fleet.IsArtifactURL(ref.RemoteURL.URL) {
		return "path is not possible: behind an http or https URL is one file, take path out"
	}
	return ""
}

func intervalOf(remote *kcm.RemoteURL) time.Duration {
	if remote.Interval == nil {
		return fleet.UsualInterval
	}
	return remote.Interval.Duration
}

// credentials reads the Secret that a URL is asked with. Its name may hold expressions.
func (l *look) credentials(ctx context.Context, out *Attached, wish *download.Wish) error {
	ref := out.Ref.RemoteURL.SecretRef
	at := types.NamespacedName{Namespace: cmp.Or(ref.Namespace, l.set.Namespace), Name: ref.Name}
	for _, word := range []*string{&at.Namespace, &at.Name} {
		text, unknown, err := l.text(ctx, "the name in remoteURL.secretRef", *word)
		if err != nil || unknown != (Unknown{}) {
			out.Problem, out.NotYet = unknown.Problem, unknown.NotYet
			return err
		}
		*word = text
	}
	may, err := l.authority(ctx)
	if err != nil {
		return err
	}
	if at.Namespace != may.namespace && !may.platform && !may.namesURL(out.Ref.RemoteURL) {
		out.Problem = fmt.Sprintf("Secret %s: %s", at, may.refusal())
		return nil
	}
	text, err := l.content(ctx, engine.SourceRef{Kind: "Secret", Namespace: at.Namespace, Name: at.Name})
	if err != nil {
		return err
	}
	if !text.exists {
		out.Problem = fmt.Sprintf("Secret %s (remoteURL.secretRef) does not exist: create it with the keys token, or username and password, and caFile where the server's authority is a private one", at)
		return nil
	}
	wish.Secret, wish.Credentials = at, text.data
	return nil
}

// namesURL says whether the MultiClusterService itself names a URL, with the same credentials.
func (a authority) namesURL(remote *kcm.RemoteURL) bool {
	return slices.ContainsFunc(a.named.PolicyRefs, func(n kcm.PolicyRef) bool {
		return n.RemoteURL != nil && n.RemoteURL.URL == remote.URL && equality.Semantic.DeepEqual(n.RemoteURL.SecretRef, remote.SecretRef)
	})
}

// evaluate evaluates the expressions in texts, in their place; what is wrong with one is said of the
// policyRef.
func (l *look) evaluate(ctx context.Context, out *Attached, texts map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		rendered, unknown, err := l.text(ctx, "key "+name, texts[name])
		if err != nil || unknown != (Unknown{}) {
			out.Problem, out.NotYet = unknown.Problem, unknown.NotYet
			return err
		}
		texts[name] = rendered
	}
	return nil
}
