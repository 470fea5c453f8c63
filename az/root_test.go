package az

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod/api"
	"tripod/awsapi/history"
	"tripod/region"
	"tripod/state"
)

func TestHistoryTellsWhenRootIsGivenAKey(t *testing.T) {
	z := newTestZone(t)
	if err := z.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	z.found(t)
	ask := func() (root api.Credentials) {
		t.Helper()
		root, err := z.agent().RootCredentials(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	root := ask()
	ask() // there is one: nothing is done
	if err := z.voter.Update(t.Context(), func(tx *state.Txn) error {
		key, _ := region.AccessKeys.Get(tx, root.AccessKeyID)
		key.Status = "Inactive"
		region.AccessKeys.Put(tx, key.ID, key)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if again := ask(); again != root {
		t.Errorf("got %s, want %s active again", again.AccessKeyID, root.AccessKeyID)
	}
	if err := z.Stop(t.Context()); err != nil { // which writes the history
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(z.config.Dir, history.FileName))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		var record history.Record
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		names = append(names, record.EventName)
		if id := record.UserIdentity; id.Type != "Root" || id.ARN != root.UserARN ||
			!strings.Contains(line, root.AccessKeyID) {
			t.Errorf("got %s", line)
		}
	}
	if got := strings.Join(names, " "); got != "CreateAccessKey UpdateAccessKey" ||
		strings.Contains(string(text), root.SecretAccessKey) {
		t.Errorf("got %s: %s", got, text)
	}
}
