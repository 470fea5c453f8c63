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
)

func TestSaveSnapshotTellsProgressAndWhatBecameOfIt(t *testing.T) {
	var asked SnapshotRequest
	answers := []SnapshotAnswer{{Progress: &SnapshotProgress{1, 2}}, {Progress: &SnapshotProgress{2, 2}}}
	dataDir := serve(t, func(w http.ResponseWriter, r *http.Request) {
		json.NewDecoder(r.Body).Decode(&asked)
		for _, answer := range answers {
			json.NewEncoder(w).Encode(answer)
		}
	})
	save := func() (*Snapshot, []SnapshotProgress, error) {
		var told []SnapshotProgress
		saved, err := New(dataDir).SaveSnapshot(t.Context(), SnapshotRequest{Name: "lab", File: "lab.tripod"}, func(p SnapshotProgress) { told = append(told, p) })
		return saved, told, err
	}
	if _, _, err := save(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("an answer that breaks off: %v", err)
	}
	answers = append(answers, SnapshotAnswer{Saved: &Snapshot{Name: "lab", Bytes: 7}})
	saved, told, err := save()
	here, _ := filepath.Abs("lab.tripod")
	if err != nil || saved.Bytes != 7 || !slices.Equal(told, []SnapshotProgress{{1, 2}, {2, 2}}) || asked != (SnapshotRequest{Name: "lab", File: here}) {
		t.Errorf("got %+v %v %v; asked for %+v", saved, told, err, asked)
	}
	answers[2] = SnapshotAnswer{Error: "the disk is full"}
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
		if _, err := Start(t.Context(), Options{Binary: binary, DataDir: dataDir, Snapshot: "lab", Output: &output}); err != nil {
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
