package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"

	"tripod/api"
)

// SaveSnapshot has the region that runs saved as one file, as it is at one moment between the call and its return, and
// calls each for the progress. When ctx ends before, nothing is left of it.
func (c *Client) SaveSnapshot(ctx context.Context, request api.SnapshotRequest,
	each func(api.SnapshotProgress)) (*api.Snapshot, error) {
	file, err := filepath.Abs(request.File)
	if err != nil {
		return nil, err
	}
	request.File = file
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	response, err := c.send(ctx, http.MethodPost, "/v1/snapshots", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); ; {
		var answer api.SnapshotAnswer
		err := lines.Decode(&answer)
		switch {
		case errors.Is(err, io.EOF):
			return nil, c.brokenOff(ctx, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, c.brokenOff(ctx, err)
		case answer.Error != "":
			return nil, &APIError{Code: http.StatusConflict, Message: answer.Error}
		case answer.Saved != nil:
			return answer.Saved, nil
		case answer.Progress != nil:
			each(*answer.Progress)
		}
	}
}
