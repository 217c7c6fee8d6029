package e2e

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const unknownID = "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"

// listed are the ids that the list command prints.
func (s *site) listed(args ...string) []string {
	s.t.Helper()
	var ids []string
	for _, line := range lines(s.run(append(s.shared("list"), args...)...).want(s.t, 0).stdout) {
		v := parse(s.t, line)
		wantShape(s.t, "listed", v)
		id, _ := v["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// wantIDs fails unless the two lists are of the same ids in the same order.
func wantIDs(t *testing.T, what string, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func reversed(ids []string) []string {
	out := slices.Clone(ids)
	slices.Reverse(out)
	return out
}

// TestList lists what is queued at two accounts, in all the ways of choosing.
func TestList(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := paths(s.documents("inbox", 3))
	first := s.submit(sensibleAccount, append([]string{"--batch", "monday", "--customer", "acme"}, docs...)...)
	second := s.submit(typlessAccount, append([]string{"--batch", "tuesday"}, docs...)...)
	all := append(slices.Clone(first), second...)

	wantIDs(t, "everything, the newest first", reversed(all), s.listed())
	wantIDs(t, "--limit", reversed(all)[:2], s.listed("--limit", "2"))
	for _, args := range [][]string{
		{"--batch", "monday"},
		{"--account", sensibleAccount},
		{"--customer", "acme"},
		{"--account", sensibleAccount, "--status", "queued", "--type", "tax_forms", "--since", "1h"},
	} {
		wantIDs(t, strings.Join(args, " "), reversed(first), s.listed(args...))
	}
	wantIDs(t, "two accounts", reversed(all), s.listed("--account", sensibleAccount, "--account", typlessAccount))
	for _, args := range [][]string{
		{"--batch", "nobody"},
		{"--status", "SUCCESS"},
		{"--error", "expired"},
		{"--type", "other"},
		{"--until", "2020-01-01"},
		{"--since", "2999-01-01T00:00:00Z"},
	} {
		wantIDs(t, strings.Join(args, " "), nil, s.listed(args...))
	}
	if got := s.run(s.shared("list", "--format", "json", "--batch", "nobody")...).want(t, 0).stdout; got != "[]\n" {
		t.Errorf("an empty JSON list is %q", got)
	}
	if got := lines(s.run(s.shared("list", "--format", "csv")...).want(t, 0).stdout); len(got) != 7 || !strings.HasPrefix(got[0], "name,id,status,error_code,account,type,") {
		t.Errorf("as CSV: %q", got)
	}
	for _, tt := range []struct{ args, says string }{
		{"list --status DONE", "QUEUED"},
		{"list --account unknown", sensibleAccount},
		{"list --since yesterday", "--since"},
		{"list --limit -1", "--limit"},
		{"list " + unknownID, "filters"},
		{"list --format xml", "--format"},
	} {
		wantComplaint(t, s.run(s.shared(strings.Fields(tt.args)...)...), 2, tt.says)
	}
	// A variable that is not set must not choose everything.
	for _, flag := range []string{"--account", "--customer", "--batch", "--status", "--error", "--type", "--since", "--until"} {
		wantComplaint(t, s.run(s.shared("list", flag, "")...), 2, flag)
		wantComplaint(t, s.run(s.shared("delete", "--yes", "--account", sensibleAccount, flag, " ")...), 2, flag)
	}
	wantIDs(t, "everything is left", reversed(all), s.listed())
}

// TestCancelByIDAndFilter cancels what no worker has taken up.
func TestCancelByIDAndFilter(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	docs := paths(s.documents("inbox", 3))
	ids := s.submit(sensibleAccount, append([]string{"--batch", "monday"}, docs...)...)
	other := s.submit(typlessAccount, docs[0])[0]

	r := s.run(s.shared("cancel", ids[0], unknownID)...).want(t, 1)
	if r.stdout != ids[0]+"\n" || !strings.Contains(r.stderr, unknownID) {
		t.Errorf("cancel printed %q and said %q", r.stdout, r.stderr)
	}
	wantComplaint(t, s.run(s.shared("cancel", ids[0])...), 1, "CANCELED already")
	v := s.status(ids[0])
	if e, _ := v["error"].(map[string]any); v["status"] != "CANCELED" || e["code"] != "canceled" {
		t.Errorf("it is %v, error %v", v["status"], v["error"])
	}

	// There is no terminal to ask at: a filter needs --yes.
	wantComplaint(t, s.run(s.shared("cancel", "--batch", "monday")...), 2, "--yes")
	wantComplaint(t, s.run(s.shared("cancel")...), 2, "--batch")
	wantComplaint(t, s.run(s.shared("cancel", ids[1], "--batch", "monday")...), 2, "either")
	r = s.run(s.shared("cancel", "--batch", "monday", "--dry-run")...).want(t, 0)
	wantIDs(t, "--dry-run", reversed(ids[1:]), lines(r.stdout))
	s.wantAll(ids[1:], "QUEUED")
	r = s.run(s.shared("cancel", "--batch", "monday", "--yes", "--json")...).want(t, 0)
	if n := len(lines(r.stdout)); n != 2 || !strings.Contains(r.stderr, "2 extractions canceled, 1 left") {
		t.Errorf("%d lines, said %q", n, r.stderr)
	}
	for _, line := range lines(r.stdout) {
		if v := parse(t, line); v["status"] != "CANCELED" {
			t.Errorf("printed %v", v["status"])
		}
	}
	s.wantAll(ids, "CANCELED")
	s.wantAll([]string{other}, "QUEUED")

	// What was canceled is never submitted, and can be repeated.
	s.worker()
	r = s.run(s.shared("retry", "--batch", "monday", "--status", "CANCELED", "--yes")...).want(t, 0)
	again := lines(r.stdout)
	if len(again) != 3 {
		t.Fatalf("retry printed %q", r.stdout)
	}
	s.run(append(s.shared("watch", "--timeout", "60s", other), again...)...).want(t, 0)
	s.wantAll(again, "SUCCESS")
	if n := s.vendor.asked(opPut); n != 3 {
		t.Errorf("%d documents came to Sensible, want 3", n)
	}
	if v := s.status(ids[0]); v["retried_by"] == nil || s.status(v["retried_by"].(string))["retry_of"] != ids[0] {
		t.Errorf("%s is retried by %v", ids[0], v["retried_by"])
	}
	wantComplaint(t, s.run(s.shared("retry", ids[0])...), 1, "repeated already")
	wantComplaint(t, s.run(s.shared("retry", again[0])...), 1, "succeeded")
	wantComplaint(t, s.run(s.shared("cancel", again[0])...), 1, "SUCCESS already")
}

// TestDeleteAndAdopt erases finished extractions, and takes them back from the
// vendor, who still has them.
func TestDeleteAndAdopt(t *testing.T) {
	bothDialects(t, func(t *testing.T, d dialect) {
		s := newSite(t, quick(0))
		s.worker()
		docs := s.documents("inbox", 2)
		ids := s.submit(d.account, append([]string{"--batch", "b"}, paths(docs)...)...)
		s.run(append(s.shared("watch", "--timeout", "60s"), ids...)...).want(t, 0)
		vendorIDs := map[string]bool{}
		var list strings.Builder
		for _, id := range ids {
			vendor, _ := s.status(id)["vendor"].(map[string]any)
			vendorID, _ := vendor["id"].(string)
			vendorIDs[vendorID] = true
			list.WriteString(vendorID + "\n\n# a remark\n")
		}

		r := s.run(s.shared("delete", ids[0], "--json")...).want(t, 0)
		left := parse(t, r.stdout)
		if vendorID, _ := left["vendor_id"].(string); left["id"] != ids[0] || !vendorIDs[vendorID] || !strings.Contains(r.stderr, vendorID) {
			t.Errorf("delete printed %q and said %q", r.stdout, r.stderr)
		}
		wantComplaint(t, s.run(s.shared("status", ids[0])...), 1, ids[0])
		// Again is no error: it is gone, as was asked.
		if r := s.run(s.shared("delete", ids[0])...).want(t, 0); r.stdout != "" {
			t.Errorf("a second delete printed %q", r.stdout)
		}
		wantComplaint(t, s.run(s.shared("delete", unknownID)...), 1, unknownID)
		r = s.run(s.shared("delete", "--batch", "b", "--yes")...).want(t, 0)
		wantIDs(t, "delete --batch", ids[1:], lines(r.stdout))
		for _, id := range ids {
			if _, err := os.Stat(s.path("data", "documents", id)); !os.IsNotExist(err) {
				t.Errorf("the document store still has %s: %v", id, err)
			}
		}

		args := s.shared("adopt", "--account", d.account, "--type", "tax_forms", "--batch", "rescued", "@"+s.write("ids.txt", list.String()))
		adopted := lines(s.run(args...).want(t, 0).stdout)
		if len(adopted) != len(ids) {
			t.Fatalf("adopt printed %q", adopted)
		}
		wantIDs(t, "adopted again", adopted, lines(s.run(args...).want(t, 0).stdout))
		s.run(s.shared("watch", "--batch", "rescued", "--timeout", "60s")...).want(t, 0)
		s.wantAll(adopted, "SUCCESS")
		s.vendor.wantOnce(t, docs)
		wantComplaint(t, s.run(s.shared("adopt", "--account", d.account, "--type", "tax_forms", "@nowhere")...), 2, "nowhere")
		wantComplaint(t, s.run(s.shared("adopt", "--account", d.account, "--type", "tax_forms")...), 2, "at least one id")
		wantComplaint(t, s.run(s.shared("adopt", "--account", d.account, "--type", "tax_forms", "a b")...), 1, "a b")
	})
}

// TestAdoptLists reads lists as other programs and people write them, until it is
// stopped.
func TestAdoptLists(t *testing.T) {
	t.Parallel()
	s := newSite(t, quick(0))
	args := s.shared("adopt", "--account", typlessAccount, "--type", "tax_forms")
	ids := lines(s.run(append(args, "@"+s.write("windows.txt", "\uFEFFv1\r\nv2\r\n"))...).want(t, 0).stdout)
	wantIDs(t, "without the mark", ids, lines(s.run(append(args, "v1", "v2")...).want(t, 0).stdout))
	wantComplaint(t, s.run(append(args, "@"+s.write("none.txt", "\n# none\n"))...), 2, "no id")
	wantComplaint(t, s.run(append(args, "@-")...), 2, "no id")

	cmd := s.command(append(args, "@-")...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, cmd)
	if _, err := in.Write([]byte("v1\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first is adopted", func() bool { return p.stdout.String() == ids[0]+"\n" })
	p.signal(syscall.SIGINT) // While it waits for more.
	p.wait().want(t, 130)
}
