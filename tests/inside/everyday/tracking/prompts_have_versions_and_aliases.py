import mlflow

mlflow.genai.register_prompt(name="summary", template="Summarise {{ text }} in {{ n }} words.", tags={"lang": "en"})
german = "Fasse {{ text }} zusammen: {{ n }} Wörter."
mlflow.genai.register_prompt(name="summary", template=german, commit_message="German")
mlflow.genai.set_prompt_alias("summary", alias="production", version=2)
prompt = mlflow.genai.load_prompt("prompts:/summary@production")
assert prompt.format(text="dies", n=3) == "Fasse dies zusammen: 3 Wörter."
assert mlflow.genai.load_prompt("summary", version=1).variables == {"text", "n"}
chat = [{"role": "system", "content": "Be {{mood}}."}, {"role": "user", "content": "{{question}}"}]
mlflow.genai.register_prompt(name="chat-prompt", template=chat)
assert mlflow.genai.load_prompt("chat-prompt", version=1).format(mood="kind", question="?")[0]["content"] == "Be kind."
assert {"summary", "chat-prompt"} <= {item.name for item in mlflow.genai.search_prompts()}
