package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/extractq/extractq/internal/httpauth"
	"github.com/extractq/extractq/internal/serve"
)

// HookTokens are, by account, the digest of the secret in the URL of its webhooks.
type HookTokens map[string][sha256.Size]byte

const (
	hookPath  = "/v1/hooks/{account}/{token}"
	hookRoute = http.MethodPost + " " + hookPath
	// maxHook is the size of the largest webhook. Sensible's contains the whole result.
	maxHook = 8 << 20
)

func (s *Server) registerHooks(api huma.API) {
	text := &huma.Schema{Type: "string"}
	op := huma.Operation{
		OperationID: "takeWebhook", Tags: tagged(tagHooks), Method: http.MethodPost, Path: hookPath,
		Summary: "Take a vendor's webhook",
		Description: "The body, in the vendor's own form, is only a hint: the vendor is asked for the result at once. " +
			"What names no extraction of the account, or one that is final, changes nothing and is answered in the same way. " +
			"The token is accounts.NAME.hook_token; no key is needed.",
		Parameters: []*huma.Param{
			{Name: "account", In: "path", Required: true, Schema: text},
			{Name: "token", In: "path", Required: true, Schema: text},
		},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}},
		}},
		Responses: map[string]*huma.Response{"204": {Description: "taken"}},
		Security:  []map[string][]string{{}},
	}
	describeProblems(api, &op, 400, 404, 408, 413, 415, 503)
	api.OpenAPI().AddOperation(&op)
	api.Adapter().Handle(&op, func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if err := s.hook(w, r); err != nil {
			writeProblem(w, s.explain(err))
		}
	})
}

// hook handles one webhook.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("account")
	account, _ := s.open(name)
	token, takes := (*s.tokens.Load())[name]
	sent := httpauth.Digest(r.PathValue("token"))
	// Compare even if the account has no token: neither the time nor the answer reveals
	// which accounts exist.
	if subtle.ConstantTimeCompare(token[:], sent[:]) != 1 || !takes || account.Hook == nil {
		s.refusals.Note(r, serve.HookToken)
		return problem(http.StatusNotFound, codeNotFound, "there is no such webhook")
	}
	if p := encoded(r); p != nil {
		return p
	}
	came := io.NopCloser(bodyReader{newPacedBody(w, r, s.readLimits)})
	body, err := io.ReadAll(http.MaxBytesReader(w, came, maxHook))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return problem(http.StatusRequestEntityTooLarge, codeHookTooLarge, "the webhook is larger than 8 MiB")
	}
	if err != nil {
		return err
	}
	said, err := account.Hook(body)
	if err != nil { // The error's text may repeat what was sent.
		return problem(http.StatusBadRequest, codeInvalid, "the body is not a webhook of this account's vendor")
	}
	if err := s.cfg.Client.Hook(r.Context(), name, said); err != nil {
		return err
	}
	s.cfg.Logger.DebugContext(r.Context(), "webhook taken", slog.String("account", name))
	// Accept ids that are unknown here too: the vendor reports everything submitted with
	// its account, and might repeat a webhook that is refused forever.
	w.WriteHeader(http.StatusNoContent)
	return nil
}
