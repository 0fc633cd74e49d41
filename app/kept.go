package app

import (
	"context"
	"iter"

	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/store"
	records "portico.dev/portico/observability/stores/local"
)

// keptRecords are the logs and traces of this plane, once there are stores.
type keptRecords struct {
	*records.Store
	at *stores
}

func (k keptRecords) SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[store.Record, error] {
	if err := k.at.ready(); err != nil {
		return func(yield func(store.Record, error) bool) { yield(store.Record{}, err) }
	}
	return k.Store.SearchLogs(ctx, in, what)
}

func (k keptRecords) SearchTraces(ctx context.Context, in store.Scope, what store.TraceSearch) ([]store.Trace, error) {
	if err := k.at.ready(); err != nil {
		return nil, err
	}
	return k.Store.SearchTraces(ctx, in, what)
}

func (k keptRecords) Trace(ctx context.Context, in store.Scope, id string) (store.Trace, error) {
	if err := k.at.ready(); err != nil {
		return store.Trace{}, err
	}
	return k.Store.Trace(ctx, in, id)
}

func (k keptRecords) Services(ctx context.Context, in store.Scope) ([]string, error) {
	if err := k.at.ready(); err != nil {
		return nil, err
	}
	return k.Store.Services(ctx, in)
}

func (k keptRecords) Operations(ctx context.Context, in store.Scope, service string) ([]string, error) {
	if err := k.at.ready(); err != nil {
		return nil, err
	}
	return k.Store.Operations(ctx, in, service)
}

// keptAlerts are the alerts of this plane, likewise.
type keptAlerts struct {
	*alertmanager.Client
	at *stores
}

func (k keptAlerts) Alerts(ctx context.Context, in store.Scope) ([]alertmanager.Alert, error) {
	if err := k.at.ready(); err != nil {
		return nil, err
	}
	return k.Client.Alerts(ctx, in)
}

func (k keptAlerts) Silences(ctx context.Context, in store.Scope) ([]alertmanager.Silence, error) {
	if err := k.at.ready(); err != nil {
		return nil, err
	}
	return k.Client.Silences(ctx, in)
}

func (k keptAlerts) Silence(ctx context.Context, in store.Scope, s alertmanager.Silence) (string, error) {
	if err := k.at.ready(); err != nil {
		return "", err
	}
	return k.Client.Silence(ctx, in, s)
}
