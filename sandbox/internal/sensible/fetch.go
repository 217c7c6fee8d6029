package sensible

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	fetchWorkers = 4
	// fetchQueue is far above what a client submits at once; an entry is a URL.
	fetchQueue   = 50_000
	fetchTimeout = time.Minute
)

// Fetcher downloads the documents of extract_from_url. It goes wherever the URL
// says, localhost included: a sandbox serves its own machine.
//
// Its workers are started by the first Enqueue and ended by Close.
type Fetcher struct {
	engine *Engine
	// received is told which document is there, or will never be.
	received func(id string)
	limit    int64
	client   *http.Client
	jobs     chan fetchJob
	ctx      context.Context // ends with Close; a worker has no caller to get one from
	cancel   context.CancelFunc
	start    sync.Once
	wg       sync.WaitGroup
}

type fetchJob struct{ id, url, declared string }

// NewFetcher returns a fetcher for documents of at most limit bytes. A nil
// client means one of its own. Handler has to know it before it is used.
func NewFetcher(engine *Engine, limit int64, client *http.Client) *Fetcher {
	if client == nil {
		client = &http.Client{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Fetcher{
		engine: engine, received: func(string) {}, limit: limit, client: client,
		jobs: make(chan fetchJob, fetchQueue),
		ctx:  ctx, cancel: cancel,
	}
}

// Enqueue asks for a document. It does not wait, and reports false when there is
// too much to do already or the fetcher is closed.
func (f *Fetcher) Enqueue(id, url, declared string) bool {
	if f.ctx.Err() != nil {
		return false
	}
	f.start.Do(func() {
		for range fetchWorkers {
			f.wg.Go(f.work)
		}
	})
	select {
	case f.jobs <- fetchJob{id, url, declared}:
		return true
	default:
		return false
	}
}

// Close ends the workers and waits for them. What was not downloaded stays
// waiting.
func (f *Fetcher) Close() {
	f.cancel()
	f.start.Do(func() {})
	f.wg.Wait()
}

func (f *Fetcher) work() {
	for {
		select {
		case <-f.ctx.Done():
			return
		case job := <-f.jobs:
			f.fetch(job)
		}
	}
}

func (f *Fetcher) fetch(job fetchJob) {
	ctx, cancel := context.WithTimeout(f.ctx, fetchTimeout)
	defer cancel()
	data, err := f.download(ctx, job.url)
	if f.ctx.Err() != nil {
		return
	}
	// Only an extraction that was forgotten meanwhile is refused, and then no
	// request asks for it.
	if err != nil {
		err = f.engine.Fail(job.id, "Could not download the document: "+err.Error())
	} else {
		err = f.engine.Receive(ctx, job.id, data, job.declared)
	}
	if err == nil {
		f.received(job.id)
	}
}

// download returns the bytes at url. Its errors do not name the URL, which may be
// a signed one.
func (f *Fetcher) download(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the URL is malformed")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the host did not answer")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the host answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, f.limit+1))
	if err != nil {
		return nil, fmt.Errorf("the host ended the transfer early")
	}
	if int64(len(data)) > f.limit {
		return nil, fmt.Errorf("the document is larger than %d bytes", f.limit)
	}
	return data, nil
}
