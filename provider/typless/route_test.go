package typless_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/provider/providertest"
	"github.com/extractq/extractq/provider/typless"
)

// only lets a call exist on one side of the version and answers the other with
// a 404 of the route.
func only(t *testing.T, versioned bool, missing providertest.Reply) providertest.Step {
	t.Helper()
	there := providertest.Fine()
	nowhere := providertest.Answer(missing)
	return providertest.Do(func(x *providertest.Exchange) {
		if strings.HasPrefix(x.R.URL.Path, "/api/v1/") == versioned {
			there.Run(x)
			return
		}
		nowhere.Run(x)
	})
}

func paths(f *providertest.Fake, op providertest.Op) string {
	var out []string
	for _, r := range f.Requests(op) {
		out = append(out, r.Path)
	}
	return strings.Join(out, " ")
}

// TestReadingFallsBack: a call that only asks tries both paths at once, and
// remembers.
func TestReadingFallsBack(t *testing.T) {
	t.Parallel()
	for _, fixture := range []string{"error_404_route.json", "error_404_route.html"} {
		missing := providertest.FixtureReply(t, http.StatusNotFound, fixture)
		f, c := start(t)
		f.On(providertest.OpPoll, only(t, true, missing))
		f.On(providertest.OpReady, only(t, false, missing))
		for range 2 {
			if _, err := c.Poll(t.Context(), id); err != nil {
				t.Errorf("Poll: %v", err)
			}
			if _, err := c.Ready(t.Context(), extraction.ReadyQuery{}); err != nil {
				t.Errorf("Ready: %v", err)
			}
		}
		if got, want := paths(f, providertest.OpPoll), "/api/get-extraction-data /api/v1/get-extraction-data /api/v1/get-extraction-data"; got != want {
			t.Errorf("polls went to %s, want %s", got, want)
		}
		if got, want := paths(f, providertest.OpReady), "/api/v1/awaiting-poll /api/awaiting-poll /api/awaiting-poll"; got != want {
			t.Errorf("lists went to %s, want %s", got, want)
		}
	}
}

// TestSubmitFallsBack: a submission moves on with the next attempt, because its
// document was read.
func TestSubmitFallsBack(t *testing.T) {
	t.Parallel()
	f, c := start(t)
	f.On(providertest.OpSubmit, only(t, true, providertest.FixtureReply(t, http.StatusNotFound, "error_404_route.json")))
	doc := providertest.NewDocument(100)
	s := extraction.Submission{Type: "a", Bytes: 100, Body: doc.Open}
	_, err := c.Submit(t.Context(), s)
	if e := asError(t, err); e.Kind != extraction.KindTransient || e.Code != "" || e.Sent || e.Status != http.StatusNotFound {
		t.Errorf("first attempt: %+v, want transient and not sent", e)
	}
	for range 2 {
		if _, err := c.Submit(t.Context(), s); err != nil {
			t.Errorf("next attempt: %v", err)
		}
	}
	want := "/api/extract-data-async /api/v1/extract-data-async /api/v1/extract-data-async"
	if got := paths(f, providertest.OpSubmit); got != want {
		t.Errorf("submissions went to %s, want %s", got, want)
	}
}

// TestUnknownID: a 404 about the id is one call, a 404 that may be about either
// is asked on both paths and means the same.
func TestUnknownID(t *testing.T) {
	t.Parallel()
	for fixture, calls := range map[string]int{
		"error_404_id.json": 1, "error_404_type.json": 1, "error_404_route.json": 2, "error_404_route.html": 2,
	} {
		f, c := start(t)
		f.On(providertest.OpPoll, providertest.Answer(providertest.FixtureReply(t, http.StatusNotFound, fixture)))
		_, err := c.Poll(t.Context(), id)
		if e := asError(t, err); e.Kind != extraction.KindNotFound {
			t.Errorf("%s: %v, want not_found", fixture, e)
		}
		if n := len(f.Requests(providertest.OpPoll)); n != calls {
			t.Errorf("%s: %d calls, want %d", fixture, n, calls)
		}
	}
}

// TestVersionedBase: a base URL with the version is taken at its word.
func TestVersionedBase(t *testing.T) {
	t.Parallel()
	f := providertest.NewFake(t, dialect())
	c := newClient(t, typless.Config{BaseURL: f.URL + "/api/v1/"})
	missing := providertest.Answer(providertest.FixtureReply(t, http.StatusNotFound, "error_404_route.json"))
	f.On(providertest.OpPoll, missing)
	if _, err := c.Poll(t.Context(), id); extraction.KindOf(err) != extraction.KindNotFound {
		t.Errorf("Poll = %v, want not_found", err)
	}
	if err := c.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
	}
	if got, want := paths(f, providertest.OpPoll)+" "+paths(f, providertest.OpReady),
		"/api/v1/get-extraction-data /api/v1/awaiting-poll"; got != want {
		t.Errorf("calls went to %s, want %s", got, want)
	}
}
