package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/explain"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// Health says that the API serves.
type Health struct {
	OK      bool   `json:"ok"`
	Version string `json:"version"`
}

func (s *server) health(w http.ResponseWriter, _ *http.Request) {
	_ = write(w, Health{true, s.Version}) // it can always be written
}

func (s *server) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.description) // who hung up does not want it any more
}

// Me is who asks, and what he may see.
type Me struct {
	signin.Identity
	By signin.How `json:"by"`
	// Everything says that all namespaces and tenants may be seen.
	Everything bool           `json:"everything"`
	Namespaces []string       `json:"namespaces,omitempty"`
	Tenants    []store.Tenant `json:"tenants,omitempty"`
}

func (s *server) me(w http.ResponseWriter, r *http.Request) error {
	who, how, err := s.Door.Identify(r)
	if err != nil {
		return err
	}
	sight, err := s.Judge.Sight(r.Context(), who)
	if err != nil {
		return err
	}
	return write(w, Me{who, how, sight.Everything, sight.Namespaces, sight.Tenants})
}

// Link signs somebody in, once.
type Link struct {
	// Path is to be put after the URL of the page.
	Path    string    `json:"path"`
	Expires time.Time `json:"expires"`
}

func (s *server) makeLink(w http.ResponseWriter, r *http.Request) error {
	who, how, err := s.Door.Identify(r)
	if err != nil {
		return err
	}
	if how == signin.BySession {
		return fmt.Errorf("%w: a session makes no links; use a token or a certificate", rights.ErrNotYours)
	}
	var l Link
	if l.Path, l.Expires, err = s.Door.Link(who); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return write(w, l)
}

// seen says whose namespaces the asker may see.
func (s *server) seen(ctx context.Context) (func(string) bool, error) {
	if err := s.Feed.Check(); err != nil {
		return nil, err
	}
	sight, err := s.Judge.Sight(ctx, signin.From(ctx))
	return sight.Sees, err
}

func askOf(r *http.Request) (inventory.Ask, error) {
	query := r.URL.Query()
	a := inventory.Ask{Sort: query.Get("sort"), Continue: query.Get("continue")}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return a, fmt.Errorf("%w: limit %q: expected a number of rows, 1 to %d", fleet.ErrInvalid, text, inventory.MostRows)
		}
		a.Limit = n
	}
	return a, nil
}

func (s *server) fleet(w http.ResponseWriter, r *http.Request) error {
	ask, err := askOf(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	filter := inventory.ClusterFilter{
		Text: query.Get("q"), Namespaces: query["namespace"], Regions: query["region"], Tenants: query["owner"],
		Templates: query["template"], Versions: query["version"], Marks: query["mark"],
	}
	if text := query.Get("selector"); text != "" {
		if filter.Labels, err = labels.Parse(text); err != nil {
			return fmt.Errorf("%w: selector %q: %w", fleet.ErrInvalid, text, err)
		}
	}
	seen, err := s.seen(r.Context())
	if err != nil {
		return err
	}
	at := s.Feed.Topic.Position()
	answer, err := inventory.FleetOf(s.Feed.Clusters, ask, filter, seen)
	if err != nil {
		return err
	}
	answer.Resume = at
	return write(w, answer)
}

func (s *server) services(w http.ResponseWriter, r *http.Request) error {
	ask, err := askOf(r)
	if err != nil {
		return err
	}
	seen, err := s.seen(r.Context())
	if err != nil {
		return err
	}
	query, at := r.URL.Query(), s.Feed.Topic.Position()
	answer, err := inventory.ServicesIn(s.Feed.Services, ask, inventory.ServiceFilter{
		Text: query.Get("q"), Namespaces: query["namespace"], Clusters: query["cluster"], Templates: query["template"], States: query["state"], Marks: query["mark"],
	}, seen)
	if err != nil {
		return err
	}
	answer.Resume = at
	return write(w, answer)
}

// ClusterDetail is one cluster with its services.
type ClusterDetail struct {
	inventory.Cluster
	ServiceStates []*inventory.Service `json:"serviceStates"`
	Resume        string               `json:"resume"`
}

// mine returns the row of a cluster that the asker may see.
func (s *server) mine(r *http.Request) (*inventory.Cluster, error) {
	namespace, name := r.PathValue("namespace"), r.PathValue("name")
	who := signin.From(r.Context())
	may, err := s.Judge.Sees(r.Context(), who, namespace)
	if err != nil {
		return nil, err
	}
	if !may {
		return nil, fmt.Errorf("%w: %s may not get ClusterDeployments in namespace %s", rights.ErrNotYours, who.Name, namespace)
	}
	if err := s.Feed.Check(); err != nil {
		return nil, err
	}
	row := s.Feed.Clusters.Get(namespace + "/" + name)
	if row == nil {
		return nil, fmt.Errorf("%w: there is no ClusterDeployment %s in namespace %s", fleet.ErrNotYet, name, namespace)
	}
	return row, nil
}

func (s *server) cluster(w http.ResponseWriter, r *http.Request) error {
	at := s.Feed.Topic.Position()
	row, err := s.mine(r)
	if err != nil {
		return err
	}
	page, err := inventory.ServicesIn(s.Feed.Services, inventory.Ask{Limit: inventory.MostRows},
		inventory.ServiceFilter{Namespaces: []string{row.Namespace}, Clusters: []string{row.Name}}, func(string) bool { return true })
	if err != nil {
		return err
	}
	return write(w, ClusterDetail{*row, page.Items, at})
}

// Tree is a cluster with everything below it, and the first cause of its not being well.
type Tree struct {
	Root  *explain.Node `json:"root"`
	Why   explain.Cause `json:"why"`
	Taken time.Time     `json:"taken"`
}

func (s *server) tree(w http.ResponseWriter, r *http.Request) error {
	row, err := s.mine(r)
	if err != nil {
		return err
	}
	if s.Trees == nil {
		return absent("no trees are made")
	}
	trees, err := s.Trees(signin.From(r.Context()))
	if err != nil {
		return err
	}
	of := explain.Ref{Kind: kcm.ClusterDeploymentKind, Namespace: row.Namespace, Name: row.Name}
	saw, err := trees.Read(r.Context(), of)
	if err != nil {
		return err
	}
	root := saw.Tree(of)
	if root == nil {
		return fmt.Errorf("%w: there is no %s any more", fleet.ErrNotYet, of)
	}
	return write(w, Tree{root, explain.Why(root, saw.Now), saw.Now})
}

// Bounds of a stream of events.
const (
	streamRoom     = 1000
	streamBeat     = 15 * time.Second
	streamPatience = 10 * time.Second
)

func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	release, err := take(r.Context(), s.streams)
	if err != nil {
		return err
	}
	defer release()
	who := signin.From(r.Context())
	if _, err := s.Judge.Everything(r.Context(), who); err != nil {
		return err
	}
	live.Stream{
		Topic: s.Feed.Topic,
		Heard: func(ctx context.Context, e live.Event) (bool, error) { return s.Judge.Sees(ctx, who, e.Place) },
		// A session that ended, or a token that was revoked, ends what it began.
		Still: func(context.Context) error {
			_, _, err := s.Door.Identify(r)
			return err
		},
		Room: streamRoom, Beat: streamBeat, Patience: streamPatience,
	}.Serve(w, r)
	return nil
}

// firstOf is the first of some words that is there.
func firstOf(words ...string) string {
	for _, w := range words {
		if strings.TrimSpace(w) != "" {
			return w
		}
	}
	return ""
}
