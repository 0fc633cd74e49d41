package main

import (
	"context"
	"fmt"
	"time"

	"portico.dev/portico/internal/e2e"
)

const (
	fleetSize       = 10
	manyNodes       = 200
	mostVirtualNode = 1 // MiB
)

// fleet makes ten clusters at once.
func fleet(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	if err := pause(ctx, 20*time.Second); err != nil {
		return err
	}
	before, _, err := b.memory(ctx, ownProgram)
	if err != nil {
		return err
	}
	var all []e2e.Cluster
	for n := range fleetSize {
		all = append(all, e2e.Cluster{Name: fmt.Sprintf("fleet-%d", n), Workers: 1, Message: "fleet"})
	}
	began := time.Now()
	if err := b.create(ctx, all); err != nil {
		return err
	}
	remark("ten clusters at once, with a virtual node and a service each, until all are ready", since(began), "s")
	remark("  per cluster", since(began)/fleetSize, "s")
	if err := pause(ctx, time.Minute); err != nil {
		return err
	}
	after, _, err := b.memory(ctx, ownProgram)
	if err != nil {
		return err
	}
	children, count, err := b.memory(ctx, controlPlane)
	if err != nil {
		return err
	}
	remark("memory per cluster: its control plane (RSS)", children/float64(count), "MiB")
	remark("memory per cluster: more in the management plane (RSS)", (after-before)/fleetSize, "MiB")
	took, err := b.remove(ctx, all...)
	figure("deletion of all ten at once", mostDeletion, took, "s")
	return err
}

// create applies clusters at once and waits until all are ready.
func (b *bench) create(ctx context.Context, clusters []e2e.Cluster) error {
	for _, c := range clusters {
		if err := e2e.Apply(ctx, b.kube, c.Object()); err != nil {
			return err
		}
	}
	for _, c := range clusters {
		if _, err := e2e.AwaitReady(ctx, b.kube, c.Key()); err != nil {
			return err
		}
	}
	return nil
}

// nodes measures what a virtual node costs.
func nodes(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	c := e2e.Cluster{Name: "large", Workers: 1}
	few, fewThere, err := b.sizes(ctx, c)
	if err != nil {
		return err
	}
	c.Workers += manyNodes
	began := time.Now()
	many, manyThere, err := b.sizes(ctx, c)
	if err != nil {
		return err
	}
	remark(fmt.Sprintf("%d more virtual nodes, until all are ready and a minute has passed", manyNodes), since(began), "s")
	figure("memory per virtual node in our program (RSS)", mostVirtualNode, (many-few)/manyNodes, "MiB")
	remark("memory per virtual node in its control plane (RSS)", (manyThere-fewThere)/manyNodes, "MiB")
	return nil
}

// sizes are the memory of our program and of the control plane, when all nodes are there.
func (b *bench) sizes(ctx context.Context, c e2e.Cluster) (here, there float64, err error) {
	if err := b.create(ctx, []e2e.Cluster{c}); err != nil {
		return 0, 0, err
	}
	if err := e2e.AwaitWorkers(ctx, b.kube, c); err != nil {
		return 0, 0, err
	}
	if err := pause(ctx, time.Minute); err != nil {
		return 0, 0, err
	}
	if here, _, err = b.memory(ctx, named("plane")); err != nil {
		return 0, 0, err
	}
	there, _, err = b.memory(ctx, controlPlane)
	return here, there, err
}
