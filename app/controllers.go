package app

import "context"

func (p *plane) serveRegistry(context.Context) error    { return nil }
func (p *plane) serveArtifacts(context.Context) error   { return nil }
func (p *plane) startControllers(context.Context) error { return nil }
func (p *plane) installBundle(context.Context) error    { return nil }
