package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/extractq/extractq/internal/fixtures"
)

// The ids that stand in the help pages' examples.
const (
	exampleID       = "01JD0Z3M9V7Q8W2R5T6Y4X1C0B"
	exampleVendorID = "14d82783-45a7-4f1c-9d7b-0c2f5a6f8e11"
)

// serverSays is what a server says when it serves. Its examples then get SIGTERM,
// as an init system would stop it; all others must end by themselves.
var serverSays = map[string]string{
	"worker": "worker started", "scheduler": "scheduler started",
	"up": "dashboard at", "api": "api at", "dashboard": "dashboard at", "sandbox": "sandbox: Sensible at",
}

// TestHelpExamplesWork runs every example of every help page as it is written, by a
// shell, in a folder with the documents, accounts and extractions that the
// examples talk about. The examples of one page are a story: they run one after the
// other in one folder. A new command whose examples need something else gets it in
// prepare.
func TestHelpExamplesWork(t *testing.T) {
	t.Parallel()
	commands := newSite(t, quick(0)).commands("")
	if !slices.Contains(commands, "run") || !slices.Contains(commands, "accounts pause") {
		t.Fatalf("the help pages list %q, want at least run and accounts pause", commands)
	}
	for server := range serverSays {
		if !slices.Contains(commands, server) {
			t.Errorf("there is no command %s", server)
		}
	}
	for _, command := range append([]string{""}, commands...) {
		t.Run("extractq "+command, func(t *testing.T) {
			t.Parallel()
			k := newKitchen(t)
			examples := k.examples(command)
			if len(examples) == 0 {
				t.Fatalf("extractq %s --help has no example", command)
			}
			k.prepare(command)
			for _, line := range examples {
				t.Run(line, func(t *testing.T) { k.try(t, line) })
			}
		})
	}
}

// kitchen is a site where examples are tried.
type kitchen struct {
	*site

	// instead is what stands for fixed addresses, folders and ids: a test has none
	// of them for itself.
	instead map[string]string
}

func newKitchen(t *testing.T) *kitchen {
	t.Helper()
	s := newSite(t, quick(0))
	s.env = append(s.env, "EXTRACTQ_LISTEN=127.0.0.1:0", "KEY=k-5Vq", "PATH="+binaryPath())
	for name, body := range fixtures.Files() {
		s.write("examples/"+name, string(body))
		s.write("inbox/"+name, string(body))
	}
	rules, err := os.ReadFile(filepath.Join(root, "examples", "rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("examples/rules.yaml", string(rules))
	form := string(fixtures.TaxForm(1))
	for _, name := range []string{"1040.pdf", "more/1040.pdf", "scans/2026/may/1040.pdf"} {
		s.write(name, form)
	}
	s.write("more.txt", "1040.pdf\nmore/1040.pdf\n")
	// The user has made the folders of the files below.
	for _, folder := range []string{".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"} {
		s.write("home/"+folder+"/.keep", "")
	}
	producer := newProducer(t)
	s.write("extractq.yaml", `callbacks: {secret: "`+producerSecret+`", allow_hosts: [127.0.0.1]}
accounts:
  acme: {provider: sensible, api_key: "${E2E_SENSIBLE_KEY}", base_url: "`+s.vendor.URL+`/sensible/v0", rate: "100/s"}
`)
	return &kitchen{s, map[string]string{
		"/var/lib/extractq": s.path("var"), "--listen :8080": "--listen 127.0.0.1:0",
		"127.0.0.1:9000": "127.0.0.1:0", "127.0.0.1:9090": "127.0.0.1:0",
		"https://example.com/hook": producer.URL,
	}}
}

// service gives the examples a Redis, and, if wanted, workers.
func (k *kitchen) service(working bool) {
	k.t.Helper()
	k.durable()
	k.instead["redis://127.0.0.1:6379/0"] = k.redis.URL
	k.env = append(k.env, "EXTRACTQ_REDIS_URL="+k.redis.URL, "EXTRACTQ_DATA_URL="+k.path("data"))
	if working {
		k.worker()
	}
}

// extraction submits a document that the examples of a page talk about.
func (k *kitchen) extraction(args ...string) {
	k.t.Helper()
	k.instead[exampleID] = k.submit("acme", append(args, "--batch", "monday", "--customer", "acme", "1040.pdf")...)[0]
}

// ends waits until the extraction of the examples has a status.
func (k *kitchen) ends(status string) {
	k.t.Helper()
	id := k.instead[exampleID]
	eventually(k.t, id+" is "+status, func() bool { return k.status(id)["status"] == status })
}

// foreign is the vendor's id of an extraction that extractq knows nothing of.
func (k *kitchen) foreign() string {
	k.t.Helper()
	k.extraction()
	k.ends("SUCCESS")
	vendor, _ := k.status(k.instead[exampleID])["vendor"].(map[string]any)
	id, _ := vendor["id"].(string)
	k.run("delete", "--yes", k.instead[exampleID]).want(k.t, 0)
	return id
}

// prepare makes what the examples of a command need besides documents.
func (k *kitchen) prepare(command string) {
	k.t.Helper()
	top, _, _ := strings.Cut(command, " ")
	switch top {
	case "", "run", "sandbox", "completion", "bench", "version": // They need no server.
	case "up": // Its second example is for another terminal.
		p := k.start("up", "--provider", "sandbox")
		p.says(serverSays["up"])
	case "worker", "scheduler", "dashboard", "doctor", "api":
		k.service(false)
	case "submit", "list", "accounts":
		k.service(true)
		k.instead["http://127.0.0.1:8080"] = k.start("api").saysAPI()
	case "status", "result", "watch", "delete":
		k.service(true)
		k.extraction()
		k.ends("SUCCESS")
	case "cancel":
		k.service(false)
		k.extraction()
	case "retry":
		k.service(true)
		k.vendor.on(opOpen, first(1), func(x *exchange) { x.refuse(400, `{"error":"no"}`) })
		k.extraction()
		k.ends("ERROR")
	case "recover":
		k.service(true)
	case "redeliver":
		k.service(true)
		k.extraction("--callback-url", k.instead["https://example.com/hook"])
		k.ends("SUCCESS")
	case "adopt":
		k.service(true)
		k.instead[exampleVendorID] = k.foreign()
		k.write("ids.txt", k.foreign()+"\n")
	default:
		k.t.Fatalf("say here what the examples of %q need", command)
	}
}

// try runs an example and wants it to succeed.
func (k *kitchen) try(t *testing.T, line string) {
	for _, from := range slices.Sorted(maps.Keys(k.instead)) {
		line = strings.ReplaceAll(line, from, k.instead[from])
	}
	command := strings.Fields(line)[1]
	if command == "sandbox" && !strings.Contains(line, "--listen") {
		line += " --listen 127.0.0.1:0" // The default may be taken on this machine.
	}
	cmd := k.command()
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", "exec " + line}
	p := launch(t, cmd)
	if says, server := serverSays[command]; server {
		p.says(says)
		p.signal(syscall.SIGTERM)
	}
	p.wait().want(t, 0)
}

// helpPage is what --help of a command prints.
func (s *site) helpPage(command string) string {
	s.t.Helper()
	return s.run(append(strings.Fields(command), "--help")...).want(s.t, 0).stdout
}

// commands are those that a help page lists, with the commands below them.
func (s *site) commands(above string) []string {
	s.t.Helper()
	_, list, _ := strings.Cut(s.helpPage(above), "\nCOMMANDS:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var out []string
	for _, line := range lines(list) {
		name, _, _ := strings.Cut(strings.Fields(line)[0], ",")
		if name == "help" || strings.HasPrefix(name, "help") {
			continue
		}
		full := strings.TrimSpace(above + " " + name)
		out = append(append(out, full), s.commands(full)...)
	}
	return out
}

// exampleLine is a command line in a help page.
var exampleLine = regexp.MustCompile(`(?m)^ +(extractq .+)$`)

// examples are the command lines in the description of a command.
func (s *site) examples(command string) []string {
	s.t.Helper()
	_, description, _ := strings.Cut(s.helpPage(command), "\nDESCRIPTION:\n")
	for _, next := range []string{"\nCOMMANDS:\n", "\nOPTIONS:\n", "\nGLOBAL OPTIONS:\n"} {
		description, _, _ = strings.Cut(description, next)
	}
	var out []string
	for _, m := range exampleLine.FindAllStringSubmatch(description, -1) {
		out = append(out, m[1])
	}
	return out
}
