package app

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox"
)

// StartSandbox runs a sandbox in this process on a free port and returns its address. It
// knows the types of the examples, and gives their text beside their fields.
func StartSandbox(ctx context.Context, cfg sandbox.Config) (base string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start sandbox: %w", err)
	}
	// It outlives ctx: running steps are still saved after a signal.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cfg.Rules = exampleRules()
	box := sandbox.New(cfg)
	var wg sync.WaitGroup
	wg.Go(func() { _ = box.Serve(ctx, listener) })
	return "http://" + listener.Addr().String(), func() { cancel(); wg.Wait() }, nil
}

// exampleRules find the fields of the example documents.
func exampleRules() sandbox.Rules {
	rules, err := sandbox.ParseRules(map[string]map[string]string{
		fixtures.TaxFormType: fixtures.TaxFormRules(), fixtures.InvoiceType: fixtures.InvoiceRules(),
	})
	if err != nil {
		panic(err) // They are part of the program.
	}
	for _, fields := range rules {
		fields[sandbox.TextField] = nil
	}
	return rules
}
