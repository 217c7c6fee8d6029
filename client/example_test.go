package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/extractq/extractq/client"
	"github.com/extractq/extractq/internal/fixtures"
)

// demo is extractq on this machine, with a sandbox in the vendor's place, and a
// folder with a document.
func demo() (url, folder string, stop func()) {
	folder, err := os.MkdirTemp("", "extractq-example-")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "1040.pdf"), fixtures.TaxForm(1), 0o600)
	}
	if err != nil {
		log.Fatal(err)
	}
	server, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	s, err := serve(rdb, filepath.Join(folder, "data"), true)
	if err != nil {
		log.Fatal(err)
	}
	return s.url, folder, func() {
		s.Close()
		_ = rdb.Close()
		server.Close()
		_ = os.RemoveAll(folder)
	}
}

// A document is submitted and its result waited for.
func Example() {
	url, folder, stop := demo() // Yours is https://extractq.example.com, say.
	defer stop()
	c, err := client.New(client.Config{URL: url, Key: "k-operator"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := c.Submit(ctx, client.Submission{
		Source: client.File(filepath.Join(folder, "1040.pdf")),
		Fields: client.Fields{Account: "acme", Type: "tax_forms"},
	})
	if err != nil {
		log.Fatal(err)
	}
	e, err = c.Wait(ctx, e.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Status, e.Document.Name, len(e.Result.Fields) > 0)
	// Output: SUCCESS 1040.pdf true
}

// The same purchase order is submitted twice, as after a crash, and is one
// extraction.
func ExampleClient_Submit() {
	url, folder, stop := demo()
	defer stop()
	c, err := client.New(client.Config{URL: url, Key: "k-operator"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, ids := context.Background(), map[string]bool{}
	for range 2 {
		e, err := c.Submit(ctx, client.Submission{
			Source:         client.File(filepath.Join(folder, "1040.pdf")),
			Fields:         client.Fields{Account: "acme", Type: "tax_forms", Metadata: map[string]string{"po": "4711"}},
			IdempotencyKey: "po-4711",
		})
		if err != nil {
			log.Fatal(err)
		}
		ids[e.ID] = true
	}
	fmt.Println(len(ids))
	// Output: 1
}

// What is wrong with a submission is in the error.
func ExampleError() {
	url, folder, stop := demo()
	defer stop()
	c, err := client.New(client.Config{URL: url, Key: "k-operator"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Submit(context.Background(), client.Submission{
		Source: client.File(filepath.Join(folder, "1040.pdf")),
		Fields: client.Fields{Account: "nobody", Type: "tax_forms"},
	})
	if refused, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(refused.Status, refused.Code)
	}
	// Output: 422 unknown_account
}

// A batch is listed, whatever its size.
func ExampleClient_List() {
	url, folder, stop := demo()
	defer stop()
	c, err := client.New(client.Config{URL: url, Key: "k-operator"})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for range 3 {
		if _, err := c.Submit(ctx, client.Submission{
			Source: client.File(filepath.Join(folder, "1040.pdf")),
			Fields: client.Fields{Account: "acme", Type: "tax_forms", Batch: "monday"},
		}); err != nil {
			log.Fatal(err)
		}
	}
	n := 0
	for e, err := range c.List(ctx, client.Filter{Batch: "monday"}) {
		if err != nil {
			log.Fatal(err)
		}
		if e.Batch == "monday" {
			n++
		}
	}
	fmt.Println(n)
	// Output: 3
}

// A stream of events ends with the extraction.
func ExampleClient_Events() {
	url, folder, stop := demo()
	defer stop()
	c, err := client.New(client.Config{URL: url, Key: "k-operator"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := c.Submit(ctx, client.Submission{
		Source: client.File(filepath.Join(folder, "1040.pdf")),
		Fields: client.Fields{Account: "acme", Type: "tax_forms"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for ev, err := range c.Events(ctx, client.EventFilter{Extraction: e.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		e = ev.Extraction
	}
	fmt.Println(e.Status)
	// Output: SUCCESS
}

// A consumer takes what is ready and acknowledges it when it is done with it: what it
// has not acknowledged when it dies is listed again.
func ExampleClient_Ready() {
	url, folder, stop := demo()
	defer stop()
	c, err := client.New(client.Config{URL: url, Key: "k-operator"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.Submit(ctx, client.Submission{
		Source: client.File(filepath.Join(folder, "1040.pdf")),
		Fields: client.Fields{Account: "acme", Type: "tax_forms"},
	}); err != nil {
		log.Fatal(err)
	}
	for done := 0; done < 1; {
		page, err := c.Ready(ctx, client.ReadyQuery{Wait: 30 * time.Second})
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range page.Extractions {
			fmt.Println(e.Status)
			if _, err := c.Ack(ctx, e.ID); err != nil {
				log.Fatal(err)
			}
			done++
		}
	}
	// Output: SUCCESS
}
