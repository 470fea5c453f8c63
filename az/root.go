package az

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"tripod/api"
	"tripod/awsapi/history"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
)

// handleRoot answers the credentials of the account's root user, and makes them where there are none. The history tells
// of that as of root's own call in AWS's console.
func (z *Zone) handleRoot(w http.ResponseWriter, r *http.Request) {
	key, operation, err := iam.EnsureRootKey(r.Context(), z.voter, rand.Reader, z.config.AccountID, time.Now())
	if err != nil {
		answer(w, http.StatusServiceUnavailable, err)
		return
	}
	if operation != "" {
		z.history.Append(z.rootCall(operation, key))
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(api.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret,
		AccountID: z.config.AccountID, UserARN: iam.RootARN(z.config.AccountID)})
}

// rootCall is the history's record of what was done to root's access key.
func (z *Zone) rootCall(operation string, key region.AccessKey) history.Record {
	id := z.config.AccountID
	record := history.Record{
		UserIdentity: history.Identity{Type: "Root", PrincipalID: id, ARN: iam.RootARN(id), AccountID: id},
		EventSource:  "iam.amazonaws.com", EventName: operation,
		AWSRegion: z.config.Region, SourceIPAddress: "127.0.0.1", UserAgent: "tripod env --root",
		RequestID: wire.NewRequestID(), EventID: wire.NewRequestID(),
		RecipientAccountID: id, Additional: history.Additional{Zone: z.config.Zone, Status: http.StatusOK},
	}
	about := map[string]any{"AccessKeyId": key.ID, "Status": key.Status}
	if operation == "CreateAccessKey" {
		record.ResponseElements = history.Redact(map[string]any{"AccessKey": about})
	} else {
		record.RequestParameters = history.Redact(about)
	}
	record.SetTime(time.Now())
	return record
}
