package tasks_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/extractq/extractq/tasks"
)

// Another service hands a document over and waits for what was read in it. What Submit
// has accepted survives a crash of everything; some worker carries it to a final status.
func ExampleOpen() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	// The two addresses of the workers' configuration, word for word.
	client, err := tasks.Open(ctx, tasks.Config{Redis: "redis://queue:6379/0", Data: "file:///srv/extractq"})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	document, err := os.Open("1040.pdf")
	if err != nil {
		log.Fatal(err)
	}
	e, err := client.Submit(ctx, tasks.Submission{
		Account:  "acme-sensible",
		Type:     "tax_forms",
		Batch:    "may",
		Name:     "1040.pdf",
		Document: document,
	})
	if err != nil {
		log.Fatal(err)
	}
	if e, err = client.Wait(ctx, e.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Status, e.Result.Fields["ssn"])
}
