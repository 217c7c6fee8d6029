package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/internal/wait"
)

// Client is how documents are taken through a vendor where there is no queue: a loop
// for each of them.
type Client struct {
	Name string
	// Gap is the time before a question, after so many.
	Gap func(asked int) time.Duration
	// GivesUp says that the first 429 is the end of the document.
	GivesUp bool
}

// Clients are those that others write: the vendors' SDK, and back-off.
func Clients() []Client {
	return []Client{
		{Name: FixedPolicy, GivesUp: true, Gap: func(asked int) time.Duration {
			if asked == 0 {
				return 0
			}
			return FixedInterval
		}},
		{Name: "exponential", Gap: func(asked int) time.Duration {
			return time.Duration(min(math.Exp2(float64(asked)), 60)) * time.Second
		}},
	}
}

// Document is one to take through.
type Document struct {
	Name, ContentType, Type string
	Body                    []byte
}

// Ended is a document that a client has got the result of.
type Ended struct {
	VendorID string
	At       time.Time
}

// Carry takes all documents through at once, each arriving when wait returns, and
// returns those it got a result of. The error is of the first that ended for another
// reason than the rate.
func (c Client) Carry(ctx context.Context, p extraction.Provider, docs []Document, wait func(context.Context) error) ([]Ended, error) {
	var mu sync.Mutex
	var ended []Ended
	var failed error
	var all sync.WaitGroup
	defer all.Wait()
	for _, d := range docs {
		if err := wait(ctx); err != nil {
			return nil, err
		}
		all.Go(func() {
			e, err := c.carry(ctx, p, d)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				ended = append(ended, e)
			case extraction.KindOf(err) != extraction.KindRateLimited && failed == nil:
				failed = fmt.Errorf("%s: %w", c.Name, err)
			}
		})
	}
	all.Wait()
	return ended, failed
}

// carry takes one document through.
func (c Client) carry(ctx context.Context, p extraction.Provider, d Document) (Ended, error) {
	var id string
	asked := 0
	for {
		var err error
		if id, err = submit(ctx, p, d); err == nil {
			break
		}
		if err := c.refused(ctx, err, asked); err != nil {
			return Ended{}, err
		}
		asked++
	}
	for asked = 0; ; asked++ {
		if err := wait.For(ctx, c.Gap(asked)); err != nil {
			return Ended{}, err
		}
		out, err := p.Poll(ctx, id)
		for err != nil && !c.GivesUp && extraction.KindOf(err) == extraction.KindRateLimited {
			asked++
			if err := c.refused(ctx, err, asked); err != nil {
				return Ended{}, err
			}
			out, err = p.Poll(ctx, id)
		}
		switch {
		case err != nil:
			return Ended{}, err
		case out.Status == extraction.StatusSuccess:
			return Ended{id, time.Now()}, nil
		case out.Status.Final():
			return Ended{}, fmt.Errorf("the vendor ended %s with %s", id, out.Status)
		}
	}
}

// refused waits after a call that got a 429, if that is not the end.
func (c Client) refused(ctx context.Context, err error, asked int) error {
	if c.GivesUp || extraction.KindOf(err) != extraction.KindRateLimited {
		return err
	}
	return wait.For(ctx, spread(c.Gap(asked), rand.Float64())) //nolint:gosec // Nothing is kept secret by it.
}

// spread is a random time from half of a gap to the whole of it: those that were
// refused together come back apart, which is how back-off after a 429 is written.
func spread(gap time.Duration, r float64) time.Duration {
	return gap/2 + time.Duration(r*float64(gap/2))
}

// submit is the one call of a submission, or the two.
func submit(ctx context.Context, p extraction.Provider, d Document) (string, error) {
	s := extraction.Submission{
		Name: d.Name, ContentType: d.ContentType, Type: d.Type, Bytes: int64(len(d.Body)),
		Body: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(d.Body)), nil },
	}
	up, ok := p.(extraction.Uploader)
	if !ok {
		receipt, err := p.Submit(ctx, s)
		return receipt.VendorID, err
	}
	u, err := up.Open(ctx, s)
	if err != nil {
		return "", err
	}
	if err := up.Put(ctx, u, s); err != nil {
		return "", errors.Join(errors.New("upload"), err)
	}
	return u.VendorID, nil
}
