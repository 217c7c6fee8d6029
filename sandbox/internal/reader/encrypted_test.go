package reader_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"github.com/extractq/extractq/internal/fixtures"
	"github.com/extractq/extractq/sandbox/internal/reader"
)

func TestEncrypted(t *testing.T) {
	t.Parallel()
	encrypt := func(user string, aes bool, bits int) []byte {
		t.Helper()
		conf := &model.Configuration{
			Reader15: true, ValidationMode: model.ValidationRelaxed, Offline: true, Eol: "\n",
			Limits: model.DefaultResourceLimits(), WriteXRefStream: true, WriteObjectStream: true,
			UserPW: user, OwnerPW: "owner", EncryptUsingAES: aes, EncryptKeyLength: bits,
			Permissions: model.PermissionsNone,
		}
		var b bytes.Buffer
		if err := api.Encrypt(bytes.NewReader(fixtures.Form(1)), &b, conf); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for _, test := range []struct {
		name string
		aes  bool
		bits int
	}{{"RC4", false, 128}, {"AES-128", true, 128}, {"AES-256", true, 256}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := reader.Read(t.Context(), encrypt("user", test.aes, test.bits), "", reader.Limits{})
			checkRefusal(t, err, reader.ReasonEncrypted)
			// Without a user's password every reader may open it; what the owner
			// forbids is printing and changing.
			doc, err := reader.Read(t.Context(), encrypt("", test.aes, test.bits), "", reader.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(doc.Fields) != 5 || !strings.HasPrefix(doc.Text(), "Registration\n") {
				t.Errorf("Read = %d fields, %q", len(doc.Fields), doc.Text())
			}
		})
	}
}
