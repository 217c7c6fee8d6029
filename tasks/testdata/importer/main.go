// Command importer is as little as a service does that enqueues. docs/bench.md says what it
// brings along.
package main

import (
	"context"
	"os"

	"github.com/extractq/extractq/tasks"
)

func main() {
	ctx := context.Background()
	c, err := tasks.Open(ctx, tasks.Config{Redis: os.Args[1], Data: os.Args[2]})
	if err != nil {
		panic(err)
	}
	e, err := c.Submit(ctx, tasks.Submission{Account: "acme", Type: "invoices", Name: "a.pdf", Document: os.Stdin})
	println(e.ID, err)
}
