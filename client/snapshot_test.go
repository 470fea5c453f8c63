package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tripod/api"
)

func TestSaveSnapshotTellsProgressAndWhatBecameOfIt(t *testing.T) {
	var asked api.SnapshotRequest
	answers := []api.SnapshotAnswer{{Progress: &api.SnapshotProgress{Done: 1, Total: 2}},
		{Progress: &api.SnapshotProgress{Done: 2, Total: 2}}}
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewDecoder(r.Body).Decode(&asked)
		for _, answer := range answers {
			json.NewEncoder(w).Encode(answer)
		}
	})
	save := func() (*api.Snapshot, []api.SnapshotProgress, error) {
		var told []api.SnapshotProgress
		saved, err := New(dataDir).SaveSnapshot(t.Context(), api.SnapshotRequest{Name: "lab", File: "lab.tripod"},
			func(p api.SnapshotProgress) { told = append(told, p) })
		return saved, told, err
	}
	if _, _, err := save(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("an answer that breaks off: %v", err)
	}
	answers = append(answers, api.SnapshotAnswer{Saved: &api.Snapshot{Name: "lab", Bytes: 7}})
	saved, told, err := save()
	here, _ := filepath.Abs("lab.tripod")
	if err != nil || saved.Bytes != 7 || !slices.Equal(told,
		[]api.SnapshotProgress{{Done: 1, Total: 2}, {Done: 2, Total: 2}}) ||
		asked != (api.SnapshotRequest{Name: "lab", File: here}) {
		t.Errorf("got %+v %v %v; asked for %+v", saved, told, err, asked)
	}
	answers[2] = api.SnapshotAnswer{Error: "the disk is full"}
	var refused *APIError
	if _, _, err := save(); !errors.As(err, &refused) || err.Error() != "the disk is full" {
		t.Errorf("got %v", err)
	}
}

func TestStartRestoresASnapshotOnce(t *testing.T) {
	runtimeRoot(t)
	binary, dataDir := filepath.Join(t.TempDir(), "tripod"), t.TempDir()
	if err := os.WriteFile(binary, []byte("#!/bin/sh\necho \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	start := func() []string {
		t.Helper()
		var output bytes.Buffer
		if _, err := Start(t.Context(), Options{Binary: binary, DataDir: dataDir, Snapshot: "lab",
			Output: &output}); err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(output.String()), "\n")
	}
	up := "up --detach --data-dir " + dataDir
	if got := start(); !slices.Equal(got, []string{"snapshot restore lab --data-dir " + dataDir, up}) {
		t.Errorf("the first time: %q", got)
	}
	if err := os.WriteFile(filepath.Join(dataDir, "tripod.json"), []byte(`{"schema":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := start(); !slices.Equal(got, []string{up}) {
		t.Errorf("the second time: %q", got)
	}
}
