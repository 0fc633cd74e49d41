package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/explain"
)

// defaultTimeout is how long commands wait unless told otherwise.
const defaultTimeout = 15 * time.Minute

// waitOptions are the flags --wait and --timeout of commands that change a cluster.
type waitOptions struct {
	wait    bool
	timeout time.Duration
}

// untilReady is what --wait means to most commands.
const untilReady = "return when the cluster is ready"

// waitFlags gives c the flags; means says what --wait waits for.
func waitFlags(c *cobra.Command, means string) *waitOptions {
	o := &waitOptions{}
	c.Flags().BoolVar(&o.wait, "wait", false, means)
	c.Flags().DurationVar(&o.timeout, "timeout", defaultTimeout, "how long to wait")
	return o
}

func (s *session) waitIf(ctx context.Context, o waitOptions, c *connection, d *kcm.ClusterDeployment) error {
	if !o.wait {
		return nil
	}
	return s.wait(ctx, c, waiting{key: client.ObjectKeyFromObject(d), timeout: o.timeout, generation: d.Generation})
}

func clusterWaitCommand(s *session) *cobra.Command {
	want, timeout := "ready", defaultTimeout
	c := &cobra.Command{
		Use: "wait NAME", Short: "Wait until a cluster is ready, or deleted",
		Long: `Wait until a cluster is ready, or deleted, and tell each change on standard error. The exit status is 3 if
that did not happen in time.`,
		Args: cobra.ExactArgs(1),
	}
	at := s.scopeFlag(c)
	c.Flags().StringVar(&want, "for", want, "what to wait for: ready or deleted")
	c.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait")
	_ = c.RegisterFlagCompletionFunc("for", cobra.FixedCompletions([]string{"ready", "deleted"}, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = first(s.completeClusters(at))
	c.RunE = func(c *cobra.Command, args []string) error {
		if want != "ready" && want != "deleted" {
			return usageError{fmt.Errorf("--for is %q, expected ready or deleted", want)}
		}
		conn, err := s.connect(c.Context())
		if err != nil {
			return err
		}
		key := types.NamespacedName{Namespace: at.namespace, Name: args[0]}
		if want == "ready" {
			if _, err := s.deployment(c.Context(), conn, key); err != nil {
				return err
			}
		}
		return s.wait(c.Context(), conn, waiting{key: key, timeout: timeout, gone: want == "deleted"})
	}
	return c
}

// waiting is what to wait for.
type waiting struct {
	key     types.NamespacedName
	timeout time.Duration
	// gone waits for the end, else it is for ready; generation is the oldest that counts.
	gone       bool
	generation int64
}

// wait returns when what is waited for has happened.
func (s *session) wait(parent context.Context, c *connection, w waiting) error {
	ctx, cancel := context.WithTimeout(parent, w.timeout)
	defer cancel()
	began, last := s.Now(), ""
	tell := func(line string) {
		if line != last {
			fmt.Fprintf(s.Streams.Err, "%7s  %s\n", explain.Age(s.Now().Sub(began)), line)
			last = line
		}
	}
	err := c.follow(ctx, w.key, func(d *kcm.ClusterDeployment) (bool, error) {
		line, done, err := w.judge(d, s.Now())
		tell(line)
		return done, err
	}, func(lost error) {
		tell(words("unknown", "the management API server does not answer: "+reason(lost)))
	})
	switch {
	case err == nil:
		return nil
	case parent.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		goal := "ready"
		if w.gone {
			goal = "deleted"
		}
		fmt.Fprintf(s.Streams.Err, "Cluster %s is not %s after %s. See why: portico why cluster %s -n %s\n", w.key, goal, w.timeout, w.key.Name, w.key.Namespace)
		return errNotReady
	}
	return told("waiting for ClusterDeployment "+w.key.String(), err)
}

// judge says how a ClusterDeployment stands (nil: it is gone), and whether that is the end.
func (w waiting) judge(d *kcm.ClusterDeployment, now time.Time) (line string, done bool, err error) {
	if d == nil {
		if w.gone {
			return "gone", true, nil
		}
		return "gone", true, errors.New("it was deleted meanwhile")
	}
	c, err := standing(d, now)
	if err != nil {
		return "", true, err
	}
	if w.gone {
		return words("deleting", strings.TrimPrefix(c.Message, "being deleted: ")), false, nil
	}
	if c.Mark == explain.OK && d.Status.ObservedGeneration >= w.generation {
		return words("ready", c.Message), true, nil
	}
	return words(string(c.Mark), c.Message), false, nil
}

// words are one line of progress. Of a list of problems it is the first: what comes first in
// time keeps all others waiting.
func words(state, message string) string {
	message, _, _ = strings.Cut(message, "; ")
	return strings.TrimSuffix(state+"  "+message, "  ")
}

// follow calls each with every state of a ClusterDeployment, nil when it is gone, until each
// has seen enough or ctx ends. It watches: a watch that ends is opened again. An API server
// that answered once and no longer does is being started again: follow calls lost, and waits.
func (c *connection) follow(ctx context.Context, key types.NamespacedName, each func(*kcm.ClusterDeployment) (bool, error), lost func(error)) error {
	answered := false
	seen := func(d *kcm.ClusterDeployment) (bool, error) {
		answered = true
		return each(d)
	}
	for {
		done, err := c.look(ctx, key, seen)
		switch {
		case done:
			return err
		case err == nil:
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case !answered || !passing(err):
			return err
		}
		lost(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// pause is how long to leave an API server alone that does not answer: there is nothing to watch.
const pause = 200 * time.Millisecond

// look reads a ClusterDeployment and watches it until the watch ends. It is done when each says so.
func (c *connection) look(ctx context.Context, key types.NamespacedName, each func(*kcm.ClusterDeployment) (bool, error)) (bool, error) {
	this := []client.ListOption{client.InNamespace(key.Namespace), client.MatchingFields{metav1.ObjectNameField: key.Name}}
	var now kcm.ClusterDeploymentList
	if err := c.kube.List(ctx, &now, this...); err != nil {
		return false, err
	}
	var d *kcm.ClusterDeployment
	if len(now.Items) > 0 {
		d = &now.Items[0]
	}
	if done, err := each(d); done || err != nil {
		return true, err
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: now.ResourceVersion}}
	events, err := c.kube.Watch(ctx, &kcm.ClusterDeploymentList{}, append(this, from)...)
	if err != nil {
		return false, err
	}
	return through(ctx, events, key, each)
}

// passing says whether an error ends by itself: no connection, or a server that is starting.
func passing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	return status.Status().Code >= http.StatusInternalServerError || apierrors.IsTooManyRequests(err) || apierrors.IsResourceExpired(err)
}

// reason is an error without the address that was asked, which changes with each question.
func reason(err error) string {
	if lost := (*url.Error)(nil); errors.As(err, &lost) {
		err = lost.Err
	}
	return err.Error()
}

// through hands on what a watch tells until the watch ends.
func through(ctx context.Context, events watch.Interface, key types.NamespacedName, each func(*kcm.ClusterDeployment) (bool, error)) (bool, error) {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case event, ok := <-events.ResultChan():
			if !ok || event.Type == watch.Error {
				return false, ctx.Err()
			}
			d, ours := event.Object.(*kcm.ClusterDeployment)
			if !ours || client.ObjectKeyFromObject(d) != key {
				continue
			}
			if event.Type == watch.Deleted {
				d = nil
			}
			if done, err := each(d); done || err != nil {
				return true, err
			}
		}
	}
}

func toUnstructured(d *kcm.ClusterDeployment) (*unstructured.Unstructured, error) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(d)
	if err != nil {
		return nil, fmt.Errorf("reading ClusterDeployment %s/%s: %w", d.Namespace, d.Name, err)
	}
	o := &unstructured.Unstructured{Object: raw}
	o.SetGroupVersionKind(kcm.GroupVersion.WithKind(kcm.ClusterDeploymentKind))
	return o, nil
}
