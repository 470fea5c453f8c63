package iam

import (
	"encoding/json"
	"mime"
	"net/http"
)

const maxReviewBytes = 1 << 20

// readReview decodes the review that an API server sends to a webhook, or refuses what is none.
func readReview(w http.ResponseWriter, r *http.Request, review any) bool {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this webhook answers POST with a review", http.StatusMethodNotAllowed)
		return false
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		mediaType != "application/json" {
		http.Error(w, "the review must be application/json", http.StatusUnsupportedMediaType)
		return false
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReviewBytes)).Decode(review); err != nil {
		http.Error(w, "the body is not the JSON of a review", http.StatusBadRequest)
		return false
	}
	return true
}

// writeReview answers. A refusal is a proper answer, too, and not an HTTP error.
func writeReview(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer) // an error here is the API server's going away
}
