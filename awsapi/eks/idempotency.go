package eks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"tripod/awsapi/operation"
	"tripod/state"
)

const (
	// tokenLife is how long EKS remembers a clientRequestToken.
	tokenLife = 24 * time.Hour
	// sweepers is the share of tokens, one in so many, whose call also looks at swept of those before and removes the
	// forgotten ones: four for each that comes, however many there are. Which ones is random: those behind a hash, as all
	// keys are.
	sweepers = 32
	swept    = 4 * sweepers
)

// attempt remembers a call that had a clientRequestToken.
type attempt struct {
	// Input is the SHA-256 of the parameters.
	Input string `json:"input"`
	// Made is the ARN of what the call made. Once that is gone, the token is free again. Empty: the call changed what was
	// there.
	Made   string          `json:"made,omitempty"`
	Answer json.RawMessage `json:"answer"`
	At     time.Time       `json:"at"`
	Key    string          `json:"key"`
}

var attempts = state.NewTable[attempt]("idempotency") // by the hash of operation, cluster and token

// idempotent is one call with its clientRequestToken, before the transaction that carries it out.
type idempotent struct {
	service   *Service
	operation string
	cluster   string // its ID, or what else the token is bound to
	token     string
	input     string
	now       time.Time
	forgotten []string // keys of attempts to remove on the way
}

// idempotent prepares a call of which in is the input and token its clientRequestToken.
func (s *Service) idempotent(call *operation.Call, token *string, in any) (*idempotent, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("hash the input of %s: %w", call.Operation, err)
	}
	sum := sha256.Sum256(text)
	i := &idempotent{service: s, operation: call.Operation, token: aws.ToString(token),
		input: hex.EncodeToString(sum[:]), now: s.now()}
	at := sha256.Sum256([]byte(i.token))
	if i.token == "" || at[0] >= 256/sweepers {
		return i, nil
	}
	return i, s.State.View(func(tx *state.Txn) error {
		looked := 0
		// the first byte is small; behind the last comes the first
		for _, from := range []string{hex.EncodeToString(at[1:]), ""} {
			for key, a := range attempts.Part("").After(tx, from) {
				if looked++; looked > swept {
					return nil
				}
				if i.now.Sub(a.At) >= tokenLife {
					i.forgotten = append(i.forgotten, key)
				}
			}
		}
		return nil
	})
}

func (i *idempotent) key() string {
	sum := sha256.Sum256([]byte(i.operation + "\x00" + i.cluster + "\x00" + i.token))
	return hex.EncodeToString(sum[:])
}

// once carries out a call in a transaction, unless it was carried out before: the same token with the same parameters
// gets the same answer again, with others InvalidParameterException. do answers, and names the ARN of what it made.
func once[Out any](tx *state.Txn, i *idempotent, clusterID string,
	do func() (out *Out, made string, err error)) (*Out, error) {
	call := *i // the transaction's function may run again
	call.cluster = clusterID
	if call.token == "" {
		out, _, err := do()
		return out, err
	}
	before, found := attempts.Get(tx, call.key())
	if found && call.now.Sub(before.At) < tokenLife && (before.Made == "" || call.service.exists(tx, before.Made)) {
		if before.Input != call.input {
			return nil, about{}.invalidParameter("The clientRequestToken was used before with other parameters: use another "+
				"one for another %s.", call.operation)
		}
		out := new(Out)
		if err := json.Unmarshal(before.Answer, out); err != nil {
			return nil, fmt.Errorf("read the answer that %s gave before: %w", call.operation, err)
		}
		return out, nil
	}
	out, made, err := do()
	if err != nil {
		return nil, err
	}
	answer, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("remember the answer of %s: %w", call.operation, err)
	}
	for _, key := range call.forgotten {
		attempts.Delete(tx, key)
	}
	attempts.Put(tx, call.key(), attempt{Input: call.input, Made: made, Answer: answer, At: call.now, Key: call.key()})
	return out, nil
}
