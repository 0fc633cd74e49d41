package serviceset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// Preview resolves ServiceSets as the controller does, and hands them to nobody.
type Preview struct{ c *Controller }

// NewPreview returns a preview. Values are read from live; engines are only asked what they refuse.
func NewPreview(kube client.Client, live client.Reader, config Config) *Preview {
	return &Preview{&Controller{
		kube: kube, live: live, engines: newEngines(config.Engines, config.Default), clock: config.Clock, home: config.Home,
		follow: follow.New(nil, nil), kept: &kept{}, remote: unfetched{},
	}}
}

// Parts are what an engine would be given for a set; what it refuses of a service is the service's
// problem. An error of kind fleet.ErrInvalid means that the whole set is wrong.
func (p *Preview) Parts(ctx context.Context, set *kcm.ServiceSet) (Parts, error) {
	was, err := recordOf(set, p.c.engines.fallback)
	if err != nil {
		return Parts{}, err
	}
	saw, err := p.c.look(ctx, set, was)
	if err != nil {
		return Parts{}, err
	}
	to, err := p.c.engines.wanted(set)
	if err != nil {
		return Parts{}, err
	}
	parts, err := Resolve(set, saw)
	if err != nil {
		return Parts{}, err
	}
	return parts, p.c.refuse(to, &parts)
}

// Problems say why services of a set would not be deployed, as far as can be seen before anything
// is tried. What is not fetched yet is no problem.
func (p *Preview) Problems(ctx context.Context, set *kcm.ServiceSet) (map[types.NamespacedName]string, error) {
	parts, err := p.Parts(ctx, set)
	if err != nil {
		return nil, err
	}
	out := map[types.NamespacedName]string{}
	for _, svc := range parts.all() {
		if svc.Problem != "" {
			out[svc.Key] = svc.Problem
		}
	}
	return out, nil
}

// Refusals say what the engine that a spec chooses cannot do of it, with paths of the object that
// the spec is in. namespace is where its templates are. A provider that another adapter serves
// refuses nothing here.
func (p *Preview) Refusals(ctx context.Context, namespace string, spec kcm.ServiceSpec) (field.ErrorList, error) {
	set := &kcm.ServiceSet{}
	set.Namespace, set.Name = namespace, "preview"
	req := service.Request{Name: types.NamespacedName{Namespace: namespace, Name: set.Name}, Spec: spec}
	if err := service.Gather(ctx, p.c.kube, &req); err != nil {
		return nil, err
	}
	set.Labels = service.ProviderLabels(req.Provider)
	if set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return nil, nil
	}
	var err error
	if set.Spec.Provider, err = service.ResolveProvider(spec); err != nil {
		return nil, err
	}
	for _, svc := range spec.Services {
		set.Spec.Services = append(set.Spec.Services, kcm.ServiceWithValues{
			Name: svc.Name, Namespace: service.KeyOf(svc.Namespace, svc.Name).Namespace, Template: svc.Template, Values: svc.Values, ValuesFrom: svc.ValuesFrom,
			HelmOptions: svc.HelmOptions, HelmAction: svc.HelmAction,
		})
	}
	saw, err := p.c.look(ctx, set, Record{})
	if err != nil {
		return nil, err
	}
	to, err := p.c.engines.wanted(set)
	if err != nil {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "serviceSpec", "provider", "name"), spec.Provider.Name, err.Error())}, nil
	}
	parts, err := Resolve(set, saw)
	if err != nil {
		return nil, nil // the rules for the configuration have said so
	}
	at := placesOf(spec, saw.Attached)
	return inSpec(parts.Target, at, to.Refuse(parts.Target)), nil
}

// inSpec turns paths of an engine's set into those of the spec that it was made from.
func inSpec(set engine.Set, at map[engine.Key]string, refused field.ErrorList) field.ErrorList {
	var out field.ErrorList
	for _, r := range refused {
		moved := *r
		i := concerns(set.Services, r.Field)
		if i < 0 {
			moved.Field = strings.Replace(r.Field, "spec.", "spec.serviceSpec.", 1)
			out = append(out, &moved)
			continue
		}
		key := set.Services[i].Key
		moved.Field = at[key]
		if !isAttached(key) {
			moved.Field += strings.TrimPrefix(r.Field, field.NewPath("spec", "services").Index(i).String())
		}
		out = append(out, &moved)
	}
	return out
}

// placesOf says where services, and policyRefs, stand in a spec.
func placesOf(spec kcm.ServiceSpec, attached []Attached) map[engine.Key]string {
	out := map[engine.Key]string{}
	config := "spec.serviceSpec"
	if spec.Provider.Config != nil {
		config += ".provider.config"
	}
	for i, a := range slices.Backward(attached) { // of one that is written twice, the first counts
		out[keyOfAttached(a.Ref)] = fmt.Sprintf("%s.policyRefs[%d]", config, i)
	}
	for i, s := range spec.Services {
		out[service.KeyOf(s.Namespace, s.Name)] = fmt.Sprintf("spec.serviceSpec.services[%d]", i)
	}
	return out
}
