package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/templates"
)

// installBundle offers what a plane has from the start: the repository of bundled charts,
// their templates, the Release and the singletons. What users have changed stays changed.
func (p *plane) installBundle(ctx context.Context) error {
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	cfg, err := p.connect(identity.Admin)
	if err != nil {
		return err
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	kube, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connecting to the management API server: %w", err)
	}
	objects := templates.Objects(templates.Params{
		Namespace: install.SystemNamespace, Version: p.env.Version,
		Registry: p.registry(), CA: authority.CertificatePEM(),
	})
	for _, o := range objects {
		offer := install.Offer
		if onlyOurs(o) {
			offer = install.Impose
		}
		put := func(ctx context.Context) error { return offer(ctx, kube, o) }
		if _, is := o.(*kcm.Management); is {
			// Refused until the templates of its Release were fetched, which takes a moment.
			err = install.Await(ctx, "the Release to be ready", put)
		} else {
			err = put(ctx)
		}
		if err != nil {
			return err
		}
	}
	p.awaitTemplates(ctx, kube, objects)
	return nil
}

// templatesWithin is how long a start waits for its own templates.
const templatesWithin = 20 * time.Second

// awaitTemplates waits until the bundled templates can be used, so that a plane that says it is
// ready takes a cluster at once. One that a user broke must not keep the plane from starting.
func (p *plane) awaitTemplates(ctx context.Context, kube client.Client, objects []client.Object) {
	ctx, cancel := context.WithTimeout(ctx, templatesWithin)
	defer cancel()
	for _, o := range objects {
		verdict := verdictOn(o)
		if verdict == nil {
			continue
		}
		err := install.Await(ctx, o.GetName(), func(ctx context.Context) error {
			if err := kube.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			if !verdict.Valid {
				return errors.New(cmp.Or(verdict.ValidationError, "nobody has looked at it yet"))
			}
			return nil
		})
		if err != nil {
			p.log.Warn("a bundled template cannot be used", "reason", err)
		}
	}
}

// onlyOurs says whether nobody but the plane can know what is in an object: where its registry
// is and who vouches for it.
func onlyOurs(o client.Object) bool {
	return strings.HasPrefix(o.GetName(), kcm.TemplateRepositoryName)
}

// verdictOn is where a template that users refer to says whether it can be used; nil for all else.
func verdictOn(o client.Object) *kcm.TemplateValidationStatus {
	switch t := o.(type) {
	case *kcm.ClusterTemplate:
		return &t.Status.TemplateValidationStatus
	case *kcm.ServiceTemplate:
		return &t.Status.TemplateValidationStatus
	}
	return nil
}
