// The page around the component: whose inbox, and a message to try it with. Nothing is written to the browser's storage.

const part = (id) => document.getElementById(id);
const inbox = part("inbox");

part("who").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});

part("test").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = part("said");
  said.textContent = "Sending …";
  try {
    said.textContent = await send();
  } catch {
    said.textContent = "The server cannot be reached.";
  }
});

inbox.addEventListener("carillon-token-ended", () => {
  part("said").textContent = "The token has ended. Paste a new one above.";
});

function show() {
  const token = part("token").value.trim();
  inbox.setAttribute("user", part("user").value.trim());
  if (token) inbox.setAttribute("token", token);
  else inbox.removeAttribute("token");
}

async function send() {
  const key = part("key").value.trim();
  const event = {
    event_type: "inbox_demo",
    user_id: part("user").value.trim(),
    data: { message: part("message").value, preferred_channel: "websocket" },
  };
  const headers = { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const answer = await fetch("/events", { method: "POST", headers, body: JSON.stringify(event) });
  const document = await answer.json();
  return answer.ok ? "Kept. It should ring in a moment." : `Refused: ${document.detail ?? answer.status}`;
}

show();
