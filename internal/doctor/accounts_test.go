package doctor

import (
	"errors"
	"strings"
	"testing"

	"github.com/extractq/extractq/config"
	"github.com/extractq/extractq/extraction"
)

// TestDoctorQuotesTheVendor shows what the vendor says about the account.
func TestDoctorQuotesTheVendor(t *testing.T) {
	t.Parallel()
	for _, kind := range []extraction.Kind{
		extraction.KindUnauthorized, extraction.KindForbidden, extraction.KindQuota, extraction.KindTransient,
	} {
		_, got := judge(config.Account{Name: "v", Provider: "sensible"}, &extraction.Error{
			Op: "probe", Kind: kind, Err: errors.New("402 Payment Required"),
			Vendor: map[string]any{"message": "Payment method declined"},
		})
		if !strings.Contains(got, "402 Payment Required: Payment method declined") {
			t.Errorf("%s: %q", kind, got)
		}
	}
}
