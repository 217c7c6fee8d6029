package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	const value = "sk_live_1"
	s := New(value)
	type outer struct {
		inner  Secret
		Outer  Secret
		Ptr    *Secret
		Nested map[Secret][]Secret
	}
	o := outer{s, s, &s, map[Secret][]Secret{s: {s}}}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%p"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, o), fmt.Sprintf(verb, []any{s}))
	}
	shown = append(shown, fmt.Sprint(s), s.String(), s.GoString(), fmt.Errorf("key: %w", errors.New(s.String())).Error())
	for _, v := range []any{s, &s, o} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown = append(shown, string(b))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", slog.Any("s", s), slog.Any("p", &s), slog.Any("o", o))
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", slog.Any("s", s), slog.Any("p", &s), slog.Any("o", o))
	shown = append(shown, log.String())
	hex := fmt.Sprintf("%x", value)
	for _, text := range shown {
		if strings.Contains(text, value) || strings.Contains(strings.ToLower(text), hex) {
			t.Errorf("shows the secret: %s", text)
		}
	}
	if s.Reveal() != value {
		t.Errorf("Reveal() = %q, want %q", s.Reveal(), value)
	}
	if got := fmt.Sprintf("%v %s", s, Secret{}); got != "[secret] " {
		t.Errorf("printed = %q, want the placeholder and nothing", got)
	}
}

func TestSecretCompares(t *testing.T) {
	t.Parallel()
	a, b, c := New("x"), New(strings.Clone("x")), New("y")
	if a != b || !a.Equal(b) || a == c || a.Equal(c) {
		t.Error("secrets do not compare by their strings")
	}
	if !New("").IsZero() || (Secret{}).Reveal() != "" || a.IsZero() {
		t.Error("the empty secret is not the zero one")
	}
}
