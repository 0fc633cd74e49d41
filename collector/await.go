package main

import (
	"context"
	"net/http"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"go.uber.org/zap"
)

// awaitCredentials is the type of our own extension, named in the `middlewares` of an exporter.
//
// A store that does not know a sender, or not yet, says 401. The exporters take that for a fault
// of the data and throw them away; no setting of theirs changes that. But it passes: a sender may start before
// its store has heard of it, the store may have to read its users again, a password may come to one of them
// before it comes to the other. So behind this the exporters see 503 instead, for which they wait and try again.
var awaitCredentials = component.MustNewType("await_credentials")

func newAwaitCredentials() extension.Factory {
	create := func(_ context.Context, s extension.Settings, _ component.Config) (extension.Extension, error) {
		return &awaiting{log: s.Logger}, nil
	}
	return extension.NewFactory(awaitCredentials, func() component.Config { return &struct{}{} }, create, component.StabilityLevelStable)
}

// awaiting is the extension. It has nothing to start or to stop.
type awaiting struct {
	component.StartFunc
	component.ShutdownFunc
	log *zap.Logger
}

var _ extensionmiddleware.HTTPClient = (*awaiting)(nil)

// GetHTTPRoundTripper is called once for each exporter.
func (a *awaiting) GetHTTPRoundTripper(context.Context) (extensionmiddleware.WrapHTTPRoundTripperFunc, error) {
	return func(_ context.Context, next http.RoundTripper) (http.RoundTripper, error) {
		return &awaitingTrips{next: next, log: a.log}, nil
	}, nil
}

// awaitingTrips are the requests of one exporter. refused says whether the last one was answered with 401.
type awaitingTrips struct {
	next    http.RoundTripper
	log     *zap.Logger
	refused atomic.Bool
}

// RoundTrip asks, and answers 503 for 401. It says so when it begins and when it ends, not each time.
func (a *awaitingTrips) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, err := a.next.RoundTrip(req)
	if err != nil {
		return answer, err
	}
	refused := answer.StatusCode == http.StatusUnauthorized
	if refused {
		answer.StatusCode = http.StatusServiceUnavailable
		answer.Status = "503 Service Unavailable (the store answered 401 Unauthorized)"
	}
	switch was := a.refused.Swap(refused); {
	case refused && !was:
		a.log.Warn("The store does not accept the credentials (401): what is sent there waits in the queue until it does", zap.String("store", req.URL.Host), zap.String("path", req.URL.Path))
	case was && !refused:
		a.log.Info("The store accepts the credentials now", zap.String("store", req.URL.Host), zap.String("path", req.URL.Path))
	}
	return answer, nil
}
